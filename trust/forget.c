#include "trust/forget.h"

#include "trust/trust_internal.h"

static const char *const folders[] = {"~/.docker/trust/tuf", "~/.notary/tuf"};
#define FOLDERS (sizeof folders / sizeof folders[0])

/* NULL behind the last one. */
static const char *host_at(const struct trust *trust, size_t i)
{
    return i == 0 ? trust->host : trust->aliases[i - 1];
}

/*   below   what comes behind the host, "" or "/…"
 *   whole   the folder with all that is below it; otherwise the two in it that are of its own name */
static void forget(const struct trust *trust, const char *below, bool whole, json_t *commands)
{
    const char *host;
    for (size_t i = 0; (host = host_at(trust, i)); i++) {
        for (size_t k = 0; k < FOLDERS; k++) {
            auto_buf struct buf place = {0};
            buf_printf(&place, "%s/%s%s", folders[k], host, below);
            json_array_append_new(commands, whole ? json_sprintf("rm -rf %s", place.p)
                                                  : json_sprintf("rm -rf %s/metadata %s/changelist",
                                                                 place.p, place.p));
        }
    }
}

void forget_repository(const struct trust *trust, const struct repo_name *repo, json_t *commands)
{
    auto_buf struct buf below = {0};
    buf_printf(&below, "/%s", repo->text);
    forget(trust, below.p, false, commands);
}

void forget_namespace(const struct trust *trust, const struct namespace_name *ns, json_t *commands)
{
    auto_buf struct buf below = {0};
    buf_printf(&below, "/%s", ns->text);
    forget(trust, below.p, true, commands);
}

void forget_all(const struct trust *trust, json_t *commands)
{
    forget(trust, "", true, commands);
}
