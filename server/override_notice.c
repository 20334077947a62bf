#include "server/override_notice.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "server/app.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static void write_notice(const struct request *rq, const struct repository *repo,
                         const struct decision *d, struct buf *out)
{
    char digest[DIGEST_STR_MAX], now[TIME_STR_MAX], end[TIME_STR_MAX];
    auto_json json_t *notice = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "event", "override.use", "time",
        time_format(rq->now_us, now), "override", (json_int_t)d->override_id, "end",
        time_format(d->override_end_us, end), "repository", repo->name.text, "digest",
        digest_format(&d->serve, digest), "identity", rq->identity->name, "address", rq->address,
        "message", d->warning);
    json_write(out, notice);
}

static bool send_to(const char *path, const struct buf *text, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path)) {
        return err_set(err, ERR_INVALID, "%s: a socket's path has at most %zu bytes", path,
                       sizeof(address.sun_path) - 1);
    }
    auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text->p, text->n, MSG_DONTWAIT | MSG_NOSIGNAL,
                         (struct sockaddr *)&address, sizeof(address)) != (ssize_t)text->n) {
        return err_sys(err, errno, "nobody could be told at %s", path);
    }
    return true;
}

bool override_notice_send(const struct request *rq, const struct repository *repo,
                          const struct decision *d, struct err *err)
{
    const struct config *config = rq->app->config;
    auto_buf struct buf text = {0};
    struct err why = {0};
    if (!config->override_notice) {
        return true;
    }
    write_notice(rq, repo, d, &text);
    if (send_to(config->override_notice, &text, &why)) {
        return true;
    }
    log_err(LOG_WARN, "override_notice", &why);
    return !config->trust_override_notice_required ||
           err_set(err, ERR_INDETERMINATE,
                   "the use of override %lld could not be told to those who must hear of it; try "
                   "again",
                   (long long)d->override_id);
}
