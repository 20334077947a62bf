#include "cli/client.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/name.h"
#include "cli/prompt.h"
#include "cli/remember.h"
#include "cli/say.h"

#include <ctype.h>
#include <curl/curl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/un.h>

#define ANSWER_MAX ((size_t)32 << 20)
#define CONNECT_TIMEOUT_S 10L
#define TOTAL_TIMEOUT_S 120L
#define MESSAGE_MAX 600

struct client {
    const struct command *command; /* what it is used for; NULL never */
    CURL *curl;
    char *host;     /* NULL on a control socket */
    char *base_url; /* without a slash at the end */
    char *name;
    char *socket;
    char *ca_file;
    bool insecure, debug, own_token;
    struct buf authorization; /* "Authorization: …", empty without a credential */
    char curl_error[CURL_ERROR_SIZE];
};

static bool environment_flag(const char *name)
{
    const char *value = getenv(name);

    return value && *value && strcmp(value, "0") != 0;
}

/* ---- which server ---- */

static bool host_is_loopback(const char *host)
{
    struct slice rest = slice_str(host);
    struct slice name;

    return slice_next(&rest, ':', &name) &&
           (slice_is(name, "localhost") || slice_starts(name, "127."));
}

/* "https://Host:5443/" and "Host:5443" are the same server. */
static bool server_set(struct client *c, const char *typed)
{
    struct slice s = slice_str(typed);
    bool plain = slice_starts(s, "http://");

    s = plain ? slice_from(s, strlen("http://")) : s;
    s = slice_starts(s, "https://") ? slice_from(s, strlen("https://")) : s;
    s = slice_ends(s, "/") ? slice_first(s, s.n - 1) : s;
    c->host = xstrndup(s.n ? s.p : "", s.n);
    for (char *p = c->host; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    if (!host_is_valid(slice_str(c->host))) {
        say("%s is no server address; it is HOST or HOST:PORT, for instance localhost:5443", typed);
        return false;
    }
    if (plain && !host_is_loopback(c->host)) {
        say("plain http is used for loopback addresses only, so that no secret crosses a network; "
            "write https://%s",
            c->host);
        return false;
    }
    auto_buf struct buf url = {0};
    buf_printf(&url, "%s://%s", plain ? "http" : "https", c->host);
    c->base_url = buf_steal(&url, NULL);
    c->name = xstrdup(c->base_url);
    return true;
}

static bool socket_set(struct client *c, const char *path)
{
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        say("the path of the control socket is too long (107 bytes at most); use a shorter or a "
            "relative one");
        return false;
    }
    c->socket = xstrdup(path);
    c->base_url = xstrdup("http://localhost");
    c->name = xstrdup(path);
    return true;
}

static bool server_pick(struct client *c, const struct call *call, const char *host_or_null)
{
    if (!host_or_null && call_has(call, OPTION_SOCKET)) {
        return socket_set(c, call->value[OPTION_SOCKET]);
    }
    auto_free char *remembered = NULL;
    const char *host = host_or_null ? host_or_null : call->value[OPTION_HOST];
    if (!host) {
        remembered = remember_default_host();
        host = remembered;
    }
    if (!host) {
        say("which server? give --host HOST[:PORT], set BOND_HOST, or sign in with `bond login "
            "HOST[:PORT]`");
        return false;
    }
    return server_set(c, host);
}

static bool ca_pick(struct client *c, const struct call *call)
{
    const char *given = call->value[OPTION_CA];
    char full[PATH_MAX];

    if (!c->host) {
        return true;
    }
    c->insecure = environment_flag("BOND_INSECURE");
    if (c->insecure) {
        say("warning: BOND_INSECURE is set, the server's certificate is not checked");
    }
    if (!given) {
        c->ca_file = remember_ca_file(c->host);
        return true;
    }
    if (!realpath(given, full)) {
        say("cannot read the CA file %s; is the path right?", given);
        return false;
    }
    c->ca_file = xstrdup(full);
    return true;
}

/* BOND_TOKEN: the secret of a robot or deployer, with or without "NAME:" before it, goes as Basic;
 * a session or an access token as Bearer. */
static void credential_set(struct client *c, const char *token)
{
    struct slice s = slice_str(token);
    auto_secret struct buf pair = {0};

    if (slice_index(s, ':') > 0) {
        buf_slice(&pair, s);
    } else if (slice_starts(s, "bst_") && !slice_starts(s, "bst_ses_")) {
        buf_printf(&pair, "token:%s", token);
    }
    if (pair.n) {
        buf_str(&c->authorization, "Authorization: Basic ");
        base64_encode(&c->authorization, buf_slice_of(&pair));
    } else {
        buf_printf(&c->authorization, "Authorization: Bearer %s", token);
    }
}

static void credential_pick(struct client *c)
{
    const char *own = getenv("BOND_TOKEN");

    if (!c->host) {
        return; /* on the control socket the kernel says who is there */
    }
    if (own && *own) {
        c->own_token = true;
        credential_set(c, own);
        return;
    }
    auto_secret_text char *session = remember_session(c->host);
    if (session) {
        credential_set(c, session);
    }
}

struct client *client_open(const struct call *call, const char *host_or_null)
{
    auto_client struct client *c = xcalloc(1, sizeof(*c));

    c->command = call->command;
    c->debug = environment_flag("BOND_DEBUG");
    if (!server_pick(c, call, host_or_null) || !ca_pick(c, call)) {
        return NULL;
    }
    credential_pick(c);
    c->curl = curl_easy_init();
    if (!c->curl) {
        BUG("curl_easy_init");
    }
    return take(c);
}

void client_close(struct client *c)
{
    if (!c) {
        return;
    }
    curl_easy_cleanup(c->curl);
    buf_wipe(&c->authorization);
    free(c->host);
    free(c->base_url);
    free(c->name);
    free(c->socket);
    free(c->ca_file);
    free(c);
}

const char *client_host(const struct client *c)
{
    return c->host;
}

const char *client_name(const struct client *c)
{
    return c->name;
}

const char *client_ca_file(const struct client *c)
{
    return c->ca_file;
}

bool client_has_own_token(const struct client *c)
{
    return c->own_token;
}

void client_be_anonymous(struct client *c)
{
    buf_wipe(&c->authorization);
}

/* ---- one request ---- */

static size_t body_received(char *p, size_t size, size_t n, void *arg)
{
    struct buf *body = arg;

    buf_put(body, p, size * n);
    return body->failed ? 0 : size * n;
}

static bool is_secret_header(struct slice line)
{
    static const char *const secret[] = {"authorization", "cookie", "set-cookie",
                                         "proxy-authorization"};
    ptrdiff_t colon = slice_index(line, ':');
    struct slice name = slice_first(line, colon < 0 ? 0 : (size_t)colon);

    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        if (slice_is_nocase(name, secret[i])) {
            return true;
        }
    }
    return false;
}

/* Headers and curl's own remarks; never a body, since passwords and new secrets travel there. */
static int debug_line(CURL *curl, curl_infotype type, char *p, size_t n, void *arg)
{
    static const char *const mark[] = {
        [CURLINFO_TEXT] = "*", [CURLINFO_HEADER_IN] = "<", [CURLINFO_HEADER_OUT] = ">"};
    struct slice rest = slice_of_bytes(p, n);
    struct slice line;

    (void)curl;
    (void)arg;
    if (type > CURLINFO_HEADER_OUT) {
        return 0;
    }
    while (slice_next(&rest, '\n', &line)) {
        line = slice_ends(line, "\r") ? slice_first(line, line.n - 1) : line;
        auto_free char *text = xstrndup(line.n ? line.p : "", line.n);
        if (is_secret_header(line)) {
            text[slice_index(line, ':')] = '\0';
            say("debug %s %s: (not shown)", mark[type], text);
        } else if (line.n) {
            say("debug %s %s", mark[type], text);
        }
    }
    return 0;
}

static void must(CURLcode code)
{
    if (code != CURLE_OK) {
        BUG("libcurl does not take an option that is set here");
    }
}
#define SET(option, value) must(curl_easy_setopt(c->curl, (option), (value)))

static void request_secure(struct client *c)
{
    SET(CURLOPT_PROTOCOLS_STR, strncmp(c->base_url, "https:", 6) == 0 ? "https" : "http");
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (c->socket) {
        SET(CURLOPT_UNIX_SOCKET_PATH, c->socket);
        SET(CURLOPT_PROXY, "");
    }
    if (c->ca_file) {
        SET(CURLOPT_CAINFO, c->ca_file);
    }
    if (c->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void request_setup(struct client *c, const char *method, const char *url,
                          struct curl_slist *headers, const struct buf *body, struct buf *received)
{
    curl_easy_reset(c->curl);
    request_secure(c);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_CUSTOMREQUEST, method);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_USERAGENT, "bond/" BONDSTORE_VERSION);
    SET(CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    SET(CURLOPT_TIMEOUT, TOTAL_TIMEOUT_S);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_WRITEFUNCTION, body_received);
    SET(CURLOPT_WRITEDATA, received);
    SET(CURLOPT_ERRORBUFFER, c->curl_error);
    if (body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->n);
        SET(CURLOPT_POSTFIELDS, body->p);
    }
    if (c->debug) {
        SET(CURLOPT_DEBUGFUNCTION, debug_line);
        SET(CURLOPT_VERBOSE, 1L);
    }
}

/* What a person can do about a server that was not reached. */
static char *transport_message(const struct client *c, CURLcode code)
{
    auto_buf struct buf text = {0};
    const char *why = c->curl_error[0] ? c->curl_error : curl_easy_strerror(code);

    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        buf_printf(&text,
                   "the certificate of %s is not trusted (%s); give the server's CA with --ca FILE",
                   c->name, why);
    } else if (c->socket) {
        long number = 0; /* curl's own text names a host and a port, which a socket has not */
        (void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &number);
        buf_printf(&text,
                   "cannot reach the server at %s (%s); does it run, and are you root or its user?",
                   c->socket, number ? strerror((int)number) : curl_easy_strerror(code));
    } else {
        buf_printf(&text, "cannot reach %s (%s); does the server run, and is the address right?",
                   c->name, why);
    }
    return buf_steal(&text, NULL);
}

/* The server's sentence in the OCI error envelope; for other answers (a proxy's page) the status
 * alone. */
static char *error_message(int status, const json_t *json)
{
    const char *message =
        json_get_string(json_array_get(json_get_array(json, "errors"), 0), "message");
    auto_buf struct buf text = {0};

    if (message && *message) {
        return xstrndup(message, strnlen(message, MESSAGE_MAX));
    }
    buf_printf(&text, "the server answered with status %d and no explanation", status);
    return buf_steal(&text, NULL);
}

static struct curl_slist *headers_make(const struct client *c, bool with_body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");

    if (with_body) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Expect:");
    }
    if (c->authorization.n) {
        headers = curl_slist_append(headers, c->authorization.p);
    }
    return headers;
}

static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h; h = h->next) {
        sodium_memzero(h->data, strlen(h->data));
    }
    curl_slist_free_all(headers);
}

void client_request(struct client *c, const char *method, const char *path, const json_t *body,
                    struct answer *out)
{
    auto_buf struct buf url = {0};
    auto_secret struct buf sent = {0}; /* may hold a password */
    auto_secret struct buf received = {.max = ANSWER_MAX};
    struct err err;
    long status = 0;

    *out = (struct answer){0};
    buf_printf(&url, "%s%s", c->base_url, path);
    if (body) {
        json_write(&sent, body);
    }
    struct curl_slist *headers = headers_make(c, body != NULL);
    request_setup(c, method, url.p, headers, body ? &sent : NULL, &received);
    c->curl_error[0] = '\0';
    CURLcode code = curl_easy_perform(c->curl);
    headers_free(headers);
    if (code != CURLE_OK) {
        out->message = transport_message(c, code);
        return;
    }
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    if (received.n && !json_read(buf_slice_of(&received), JSON_DEPTH_DEFAULT, &out->json, &err)) {
        out->json = NULL;
    }
    if (status >= 400) {
        out->message = error_message(out->status, out->json);
    } else if (status < 200 || status >= 300) {
        out->message = xstrdup("the answer is a redirect, which is never followed; is the address "
                               "that of the server?");
    }
}

void answer_dispose(struct answer *a)
{
    json_decref(a->json);
    free(a->message);
    *a = (struct answer){0};
}

enum outcome answer_outcome(const struct answer *a)
{
    static const struct {
        int status;
        enum outcome outcome;
    } table[] = {
        {400, OUTCOME_USAGE},     {401, OUTCOME_SIGN_IN},  {403, OUTCOME_NOT_PERMITTED},
        {404, OUTCOME_NOT_FOUND}, {409, OUTCOME_CONFLICT}, {413, OUTCOME_USAGE},
        {414, OUTCOME_USAGE},     {422, OUTCOME_USAGE},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == a->status) {
            return table[i].outcome;
        }
    }
    return a->status >= 200 && a->status < 300 ? OUTCOME_OK : OUTCOME_FAILED;
}

/* What shows the right name, after a wrong one. */
static const char *hint_of(const struct client *c, const struct answer *a)
{
    static const struct {
        const char *command, *code, *hint;
    } table[] = {
        {"members set", "NOT_FOUND",
         "an administrator makes the account with `bond users create EMAIL`"},
        {"members rm", "NOT_FOUND", "`bond members list NS` shows who is in it"},
        {"robots rm", "NOT_FOUND", "`bond robots list NS` shows those there are"},
        {"deployers rm", "NOT_FOUND", "`bond deployers list NS` shows those there are"},
        {NULL, "NAME_UNKNOWN",
         "`bond namespaces list` and `bond images list` show what you may see"},
    };
    const char *code =
        json_get_string(json_array_get(json_get_array(a->json, "errors"), 0), "code");

    for (size_t i = 0; code && i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(code, table[i].code) == 0 &&
            (!table[i].command || strcmp(c->command->name, table[i].command) == 0)) {
            return table[i].hint;
        }
    }
    return NULL;
}

static void report_sign_in(const struct client *c, const struct answer *a)
{
    if (c->own_token) {
        say("%s does not accept the credential in BOND_TOKEN (%s); set a new one, or unset it and "
            "use `bond login`",
            c->name, a->message);
    } else {
        say("%s; sign in%s with `bond login %s`", a->message, c->authorization.n ? " again" : "",
            c->host ? c->host : "");
    }
}

enum outcome answer_report(const struct client *c, const struct answer *a)
{
    enum outcome outcome = answer_outcome(a);
    const char *hint = outcome == OUTCOME_NOT_FOUND ? hint_of(c, a) : NULL;

    if (outcome == OUTCOME_OK) {
        return outcome;
    }
    if (outcome == OUTCOME_SIGN_IN) {
        report_sign_in(c, a);
    } else if (outcome == OUTCOME_NOT_PERMITTED && c->own_token) {
        say("%s; you asked with the credential in BOND_TOKEN, unset it to ask with your `bond "
            "login`",
            a->message);
    } else {
        say("%s%s%s", a->message, hint ? "; " : "", hint ? hint : "");
    }
    return outcome;
}

enum outcome api(const struct call *call, const char *method, const char *path, const json_t *body,
                 json_t **out)
{
    auto_client struct client *c = client_open(call, NULL);
    auto_answer struct answer answer = {0};

    if (out) {
        *out = NULL;
    }
    if (!c) {
        return OUTCOME_USAGE;
    }
    client_request(c, method, path, body, &answer);
    enum outcome outcome = answer_report(c, &answer);
    if (outcome == OUTCOME_OK && out) {
        *out = take(answer.json);
    }
    return outcome;
}

/* ---- addresses ---- */

static bool stays_in_path(char c)
{
    return isalnum((unsigned char)c) || strchr("-._~!$&'()*+,;=:@", c) != NULL;
}

static void path_put(struct buf *path, const char *text, bool keep_slashes)
{
    for (; *text; text++) {
        if (stays_in_path(*text) || (*text == '/' && keep_slashes)) {
            buf_char(path, *text);
        } else {
            buf_printf(path, "%%%02X", (unsigned char)*text);
        }
    }
}

void client_segment(struct buf *path, const char *text)
{
    path_put(path, text, false);
}

void client_segments(struct buf *path, const char *text)
{
    path_put(path, text, true);
}

void client_query(struct buf *path, const char *name, const char *value)
{
    buf_printf(path, "%c%s=", slice_index(buf_slice_of(path), '?') < 0 ? '?' : '&', name);
    buf_url(path, slice_str(value));
}
