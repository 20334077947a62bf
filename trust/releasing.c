#include "trust/releasing.h"

#include "storage/role_target.h"

#include <stdio.h>

/* History names the tags to ask about; the verified documents say which of them releases. */
bool releasing_tag(struct db_tx *tx, int64_t repository_id, const struct gate_facts *facts,
                   const struct digest *digest, char *out, struct err *err)
{
    struct role_target_tag tags[RELEASING_ASKED_MAX];
    int count = 0;
    out[0] = '\0';
    if (!role_target_tags(tx, repository_id, digest, RELEASING_ASKED_MAX, tags, &count, err)) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (gate_releases(facts, slice_str(tags[i].text), digest)) {
            (void)snprintf(out, TAG_NAME_MAX + 1, "%.*s", TAG_NAME_MAX, tags[i].text);
            break;
        }
    }
    return true;
}
