#include "server/raw_head.h"

struct reader {
    struct request_head *head;
    const char *before; /* the text in front of the next line */
};

static const char *behind(const char *text)
{
    return text + strlen(text) + 2; /* CR and LF */
}

static bool is_on_line(const char *name, const char *value)
{
    const char *after = name + strlen(name) + 1; /* the colon was here */
    return value != NULL && value >= after && (size_t)(value - after) == strspn(after, " \t");
}

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct reader *r = arg;
    (void)kind;
    request_head_add(r->head, slice_str(name), slice_str(value));
    if (r->head->malformed || name != behind(r->before) || !is_on_line(name, value)) {
        r->head->malformed = true;
        return MHD_NO; /* nothing more is believed of it */
    }
    r->before = value;
    return MHD_YES;
}

/* The line end of the last header and the empty line are zeroed, too. */
static bool ends(const char *last)
{
    const char *empty_line = behind(last);
    return empty_line[-1] == '\0' && empty_line[0] == '\0' && empty_line[1] == '\0';
}

void raw_head_read(struct MHD_Connection *connection, const char *version,
                   struct request_head *head)
{
    struct reader r = {.head = head, .before = version};
    head->version = slice_str(version);
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &r);
    if (head->headers > 0 && !head->malformed && !ends(r.before)) {
        head->malformed = true;
    }
}
