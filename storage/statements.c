#include "storage/statements.h"

/* "0 or 1" of an EXISTS: the engines differ in the type of a bare one. */
#define FLAG(condition) "CASE WHEN " condition " THEN 1 ELSE 0 END"

const char *const sql_statements[SQL_COUNT] = {
#include "storage/statements_check_table.h"
#include "storage/statements_content_table.h"
#include "storage/statements_people_table.h"
#include "storage/statements_rules_table.h"
#include "storage/statements_trust_table.h"
};
