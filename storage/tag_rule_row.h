/* Rows of tag_rule, read by tag_rule.c and tag_rule_protect.c. Not for others. */
#ifndef STORAGE_TAG_RULE_ROW_H
#define STORAGE_TAG_RULE_ROW_H

#include "storage/tag_rule.h"

/* RULE_COLUMNS of a row. */
void tag_rule_read(struct db_stmt *q, struct tag_rule *out);

#endif
