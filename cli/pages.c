#include "cli/pages.h"

#include "base/json.h"
#include "cli/client.h"

/* The text of what asks for the page behind this one; false: it was the last. */
static bool place_of_next(const struct pages *p, const json_t *page, struct buf *out)
{
    const json_t *rows = json_get_array(page, p->rows);
    size_t n = json_array_size(rows);
    const json_t *last = n ? json_array_get(rows, n - 1) : NULL;
    const json_t *place =
        p->place ? json_object_get(last, p->place) : json_object_get(page, "next");

    buf_clear(out);
    if (json_is_integer(place)) {
        buf_printf(out, "%lld", (long long)json_integer_value(place));
    } else if (json_is_string(place)) {
        buf_str(out, json_string_value(place));
    }
    return json_is_integer(place) || json_is_string(place);
}

enum outcome pages_read(const struct call *call, const struct pages *p, json_t **out)
{
    auto_json json_t *all = json_array();
    auto_buf struct buf place = {0}, asked = {0};
    bool more = false;

    do {
        auto_json json_t *page = NULL;
        auto_buf struct buf path = {0};
        buf_str(&path, p->path);
        if (more) {
            client_query(&path, p->parameter, place.p);
        }
        enum outcome outcome = api(call, p->method ? p->method : "GET", path.p, p->body, &page);
        if (outcome != OUTCOME_OK) {
            return outcome;
        }
        buf_clear(&asked);
        buf_slice(&asked, buf_slice_of(&place));
        more = place_of_next(p, page, &place);
        if (more && slice_equal(buf_slice_of(&asked), buf_slice_of(&place))) {
            break; /* the same page again: an older server does not know this parameter */
        }
        (void)json_array_extend(all, json_get_array(page, p->rows));
    } while (more);
    *out = json_pack("{s:O}", p->rows, all);
    return OUTCOME_OK;
}
