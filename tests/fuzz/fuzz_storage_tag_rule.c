/* Tag rules that are read keep their bounds, have names of their own, do one thing each, and write
 * to a document that reads the same. */
#include "storage/tag_rule_doc.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_rule(const struct tag_rule_list *rules, size_t i)
{
    const struct tag_rule *rule = &rules->items[i];
    HOLDS(rule->name[0] != '\0' && rule->tag[0] != '\0' && rule->repository[0] != '\0');
    HOLDS(memchr(rule->name, '\0', sizeof(rule->name)) != NULL);
    HOLDS(memchr(rule->tag, '\0', sizeof(rule->tag)) != NULL);
    HOLDS(memchr(rule->repository, '\0', sizeof(rule->repository)) != NULL);
    HOLDS(rule->newest >= 0 && rule->newest <= TAG_RULE_NEWEST_MAX);
    HOLDS(rule->younger_us >= 0 && rule->pulled_us >= 0);
    HOLDS(rule->immutable == (rule->newest == 0 && rule->younger_us == 0 && rule->pulled_us == 0));
    HOLDS(strcmp(rule->repository, "*") == 0 || strncmp(rule->repository, "ns/", 3) == 0);
    for (size_t j = 0; j < i; j++) {
        HOLDS(strcmp(rules->items[j].name, rule->name) != 0);
    }
}

static void check_reads_back(const struct tag_rule_list *rules, const struct namespace_name *ns)
{
    auto_tag_rule_list struct tag_rule_list again = {0};
    auto_json json_t *object = json_pack("{s:o}", "rules", tag_rule_doc_write(rules));
    HOLDS(tag_rule_doc_read(object, ns, &again, NULL));
    HOLDS(again.count == rules->count);
    for (size_t i = 0; i < again.count; i++) {
        const struct tag_rule *a = &again.items[i];
        const struct tag_rule *b = &rules->items[i];
        HOLDS(strcmp(a->name, b->name) == 0 && strcmp(a->tag, b->tag) == 0 &&
              strcmp(a->repository, b->repository) == 0 && a->immutable == b->immutable &&
              a->newest == b->newest && a->younger_us == b->younger_us &&
              a->pulled_us == b->pulled_us);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct namespace_name ns;
    auto_json json_t *object = NULL;
    auto_tag_rule_list struct tag_rule_list rules = {0};
    HOLDS(namespace_name_parse(SLICE_LIT("ns"), &ns, NULL));
    if (!json_read(slice_of_bytes(data, size), JSON_DEPTH_DEFAULT, &object, NULL) ||
        !tag_rule_doc_read(object, &ns, &rules, NULL)) {
        HOLDS(rules.count == 0);
        return 0;
    }
    HOLDS(rules.count <= TAG_RULES_MAX);
    for (size_t i = 0; i < rules.count; i++) {
        check_rule(&rules, i);
    }
    check_reads_back(&rules, &ns);
    return 0;
}
