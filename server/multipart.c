#include "server/multipart.h"

#define BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */

/* ---- parameters of a header value: `; name=token` and `; name="quoted"` ---- */

/* Cuts the next parameter off `rest`. False at the end; `*bad` when what is left is none. */
static bool parameter_next(struct slice *rest, struct slice *name, struct slice *value, bool *bad)
{
    *rest = slice_trim(*rest);
    if (rest->n == 0) {
        return false;
    }
    *bad = true;
    if (rest->p[0] != ';') {
        return false;
    }
    *rest = slice_trim(slice_from(*rest, 1));
    if (rest->n == 0) {
        *bad = false; /* a lone ';' at the end */
        return false;
    }
    ptrdiff_t equals = slice_index(*rest, '=');
    if (equals <= 0) {
        return false;
    }
    *name = slice_trim(slice_first(*rest, (size_t)equals));
    *rest = slice_from(*rest, (size_t)equals + 1);
    bool quoted = rest->n > 0 && rest->p[0] == '"';
    size_t end = quoted ? 1 : 0;
    while (end < rest->n && rest->p[end] != (quoted ? '"' : ';')) {
        end += quoted && rest->p[end] == '\\' && end + 1 < rest->n ? 2 : 1;
    }
    if (quoted && end >= rest->n) {
        return false;
    }
    *value = quoted ? (struct slice){rest->p + 1, end - 1} : slice_trim(slice_first(*rest, end));
    *rest = slice_from(*rest, quoted ? end + 1 : end);
    *bad = false;
    return true;
}

static bool is_boundary(struct slice text)
{
    static const char others[] = "'()+_,-./:=? ";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.n > 0 && text.n <= BOUNDARY_MAX && text.p[text.n - 1] != ' ';
}

static bool find_boundary(const char *content_type, struct slice *out, struct err *err)
{
    static const char prefix[] = "multipart/";
    struct slice text = slice_trim(slice_str(content_type));
    if (text.n < sizeof(prefix) - 1 ||
        !slice_is_nocase(slice_first(text, sizeof(prefix) - 1), prefix)) {
        return err_set(err, ERR_TRUST_MALFORMED_UPLOAD, "the body is not multipart/form-data");
    }
    ptrdiff_t semicolon = slice_index(text, ';');
    struct slice rest = semicolon < 0 ? (struct slice){0} : slice_from(text, (size_t)semicolon);
    struct slice name;
    struct slice value;
    bool bad = false;
    while (parameter_next(&rest, &name, &value, &bad)) {
        if (slice_is_nocase(name, "boundary") && is_boundary(value)) {
            *out = value;
            return true;
        }
    }
    return err_set(err, ERR_TRUST_MALFORMED_UPLOAD,
                   "the Content-Type of the body has no usable boundary");
}

/* ---- delimiters ---- */

struct reader {
    struct slice rest;    /* what was not read yet */
    struct buf delimiter; /* CRLF--boundary */
};

enum delimiter { DELIMITER_NONE, DELIMITER_PART, DELIMITER_END };

/* What follows "--boundary": blanks and CRLF begin a part, "--" ends the body. Cuts it off. */
static enum delimiter delimiter_tail(struct slice *rest)
{
    if (slice_starts(*rest, "--")) {
        *rest = slice_from(*rest, 2);
        return DELIMITER_END;
    }
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
        *rest = slice_from(*rest, 1);
    }
    if (!slice_starts(*rest, "\r\n")) {
        return DELIMITER_NONE;
    }
    *rest = slice_from(*rest, 2);
    return DELIMITER_PART;
}

/* Finds the next delimiter, gives what stood before it. Text that only looks like one (a longer
 * boundary) is skipped. */
static enum delimiter delimiter_next(struct reader *r, struct slice *before)
{
    const char *begin = r->rest.p;
    while (r->rest.n > 0) {
        const char *hit = memmem(r->rest.p, r->rest.n, r->delimiter.p, r->delimiter.n);
        if (hit == NULL) {
            return DELIMITER_NONE;
        }
        struct slice after = slice_from(r->rest, (size_t)(hit - r->rest.p) + r->delimiter.n);
        enum delimiter kind = delimiter_tail(&after);
        if (kind != DELIMITER_NONE) {
            *before = (struct slice){begin, (size_t)(hit - begin)};
            r->rest = after;
            return kind;
        }
        r->rest = slice_from(r->rest, (size_t)(hit - r->rest.p) + 2);
    }
    return DELIMITER_NONE;
}

/* The first delimiter may stand at the very beginning, without the CRLF before it; a preamble is
 * passed over. */
static enum delimiter delimiter_first(struct reader *r)
{
    struct slice bare = slice_from(buf_slice_of(&r->delimiter), 2);
    if (r->rest.n >= bare.n && slice_equal(slice_first(r->rest, bare.n), bare)) {
        struct slice after = slice_from(r->rest, bare.n);
        enum delimiter kind = delimiter_tail(&after);
        if (kind != DELIMITER_NONE) {
            r->rest = after;
            return kind;
        }
    }
    struct slice preamble;
    return delimiter_next(r, &preamble);
}

/* ---- one part ---- */

static bool disposition(struct slice value, struct multipart_part *part, struct err *err)
{
    ptrdiff_t semicolon = slice_index(value, ';');
    struct slice rest = semicolon < 0 ? (struct slice){0} : slice_from(value, (size_t)semicolon);
    struct slice name;
    struct slice text;
    bool bad = false;
    while (parameter_next(&rest, &name, &text, &bad)) {
        if (text.n > MULTIPART_NAME_MAX) {
            return err_set(err, ERR_TRUST_MALFORMED_UPLOAD,
                           "a part of the body has too long a name");
        }
        bool is_file = slice_is_nocase(name, "filename");
        if ((is_file && part->has_filename) || (!is_file && !slice_is_nocase(name, "name"))) {
            continue;
        }
        *(is_file ? &part->filename : &part->name) = text;
        part->has_filename = part->has_filename || is_file;
    }
    if (bad) {
        return err_set(err, ERR_TRUST_MALFORMED_UPLOAD,
                       "a part of the body has a malformed Content-Disposition");
    }
    return true;
}

static bool part_header(struct slice line, struct multipart_part *part, struct err *err)
{
    ptrdiff_t colon = slice_index(line, ':');
    if (colon <= 0) {
        return err_set(err, ERR_TRUST_MALFORMED_UPLOAD,
                       "a part of the body has a malformed header");
    }
    struct slice name = slice_first(line, (size_t)colon);
    struct slice value = slice_trim(slice_from(line, (size_t)colon + 1));
    if (slice_is_nocase(name, "content-disposition")) {
        return disposition(value, part, err);
    }
    if (slice_is_nocase(name, "content-type")) {
        part->content_type = value;
    }
    return true;
}

/* Headers, an empty line, content. The empty line may come at once. */
static bool part_parse(struct slice text, struct multipart_part *part, struct err *err)
{
    size_t used = 0;
    for (;;) {
        struct slice rest = slice_from(text, used);
        const char *end = rest.n > 0 ? memmem(rest.p, rest.n, "\r\n", 2) : NULL;
        if (end == NULL || used > MULTIPART_HEAD_MAX) {
            return err_set(err, ERR_TRUST_MALFORMED_UPLOAD,
                           "a part of the body has malformed or too long headers");
        }
        struct slice line = {rest.p, (size_t)(end - rest.p)};
        used += line.n + 2;
        if (line.n == 0) {
            part->bytes = slice_from(text, used);
            return true;
        }
        if (!part_header(line, part, err)) {
            return false;
        }
    }
}

static struct multipart_part *part_add(struct multipart *m)
{
    if ((m->count & (m->count - 1)) == 0) {
        m->parts = xrealloc(m->parts, (m->count ? m->count * 2 : 1) * sizeof(*m->parts));
    }
    m->parts[m->count] = (struct multipart_part){0};
    return &m->parts[m->count++];
}

static bool read_parts(struct reader *r, struct multipart *m, struct err *err)
{
    enum delimiter next = delimiter_first(r);
    while (next == DELIMITER_PART) {
        struct slice text = {0};
        next = delimiter_next(r, &text);
        if (next == DELIMITER_NONE) {
            break;
        }
        if (m->count == MULTIPART_PARTS_MAX) {
            return err_set(err, ERR_TRUST_MALFORMED_UPLOAD, "the body has more than %d parts",
                           MULTIPART_PARTS_MAX);
        }
        if (!part_parse(text, part_add(m), err)) {
            return false;
        }
    }
    if (next == DELIMITER_NONE) {
        return err_set(err, ERR_TRUST_MALFORMED_UPLOAD,
                       "the body is cut off: its last boundary is missing");
    }
    return true;
}

bool multipart_parse(const char *content_type, struct slice body, struct multipart *out,
                     struct err *err)
{
    struct slice boundary;
    *out = (struct multipart){0};
    if (!find_boundary(content_type, &boundary, err)) {
        return false;
    }
    auto_buf struct buf delimiter = {0};
    buf_str(&delimiter, "\r\n--");
    buf_slice(&delimiter, boundary);
    struct reader r = {.rest = body, .delimiter = delimiter};
    if (!read_parts(&r, out, err)) {
        multipart_dispose(out);
        return false;
    }
    return true;
}

void multipart_dispose(struct multipart *m)
{
    free(m->parts);
    *m = (struct multipart){0};
}
