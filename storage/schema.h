/* The schema, as numbered migrations: entry i brings a database from format i to i + 1. Written
 * once per engine (schema_sqlite.c); the statements are common. Released entries are never
 * changed. */
#ifndef STORAGE_SCHEMA_H
#define STORAGE_SCHEMA_H

extern const char *const schema_migrations[];
extern const int schema_migration_count;

#endif
