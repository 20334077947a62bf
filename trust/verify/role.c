#include "trust/verify/role.h"

struct base_role {
    const char *name;
    enum role_kind kind;
};

static const struct base_role base_roles[] = {
    {"root", ROLE_ROOT},
    {"targets", ROLE_TARGETS},
    {"snapshot", ROLE_SNAPSHOT},
    {"timestamp", ROLE_TIMESTAMP},
};

static bool is_role_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* One or more non-empty segments; "." and ".." cannot occur, a dot is no role character. */
static bool segments_are_valid(struct slice rest)
{
    struct slice segment;
    while (slice_next(&rest, '/', &segment)) {
        if (segment.n == 0) {
            return false;
        }
        for (size_t i = 0; i < segment.n; i++) {
            if (!is_role_char(segment.p[i])) {
                return false;
            }
        }
    }
    return true;
}

enum role_kind role_parse(struct slice name)
{
    for (size_t i = 0; i < sizeof(base_roles) / sizeof(base_roles[0]); i++) {
        if (slice_is(name, base_roles[i].name)) {
            return base_roles[i].kind;
        }
    }
    if (name.n > ROLE_NAME_MAX || !slice_starts(name, "targets/") ||
        role_depth(name) > ROLE_DEPTH_MAX) {
        return ROLE_NONE;
    }
    return segments_are_valid(slice_from(name, sizeof("targets/") - 1)) ? ROLE_DELEGATION
                                                                        : ROLE_NONE;
}

int role_depth(struct slice name)
{
    int depth = 1;
    for (size_t i = 0; i < name.n; i++) {
        depth += name.p[i] == '/';
    }
    return depth;
}

bool role_is_direct_child(struct slice parent, struct slice child)
{
    if (child.n <= parent.n + 1 || child.p[parent.n] != '/' ||
        !slice_equal(slice_first(child, parent.n), parent)) {
        return false;
    }
    return slice_index(slice_from(child, parent.n + 1), '/') < 0;
}

struct slice role_parent(struct slice name)
{
    ptrdiff_t cut = slice_rindex(name, '/');
    return cut < 0 ? (struct slice){NULL, 0} : slice_first(name, (size_t)cut);
}

const char *role_type_name(enum role_kind kind)
{
    switch (kind) {
    case ROLE_ROOT:
        return "Root";
    case ROLE_TARGETS:
    case ROLE_DELEGATION:
        return "Targets";
    case ROLE_SNAPSHOT:
        return "Snapshot";
    case ROLE_TIMESTAMP:
        return "Timestamp";
    case ROLE_NONE:
        break;
    }
    return "";
}
