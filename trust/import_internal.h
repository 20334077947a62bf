/* What the files import.c (the walk), import_read.c (the dumps) and import_gun*.c (one repository)
 * share. Not for others. */
#ifndef TRUST_IMPORT_INTERNAL_H
#define TRUST_IMPORT_INTERNAL_H

#include "base/buf.h"
#include "trust/import.h"
#include "trust/reached.h"

#include <stdio.h>

/* Rows of one table: of each its place is kept, 56 to 80 bytes. */
#define IMPORT_ROWS_MAX 5000000
#define IMPORT_KEYS_MAX 500000
#define IMPORT_GUN_MAX 255

struct import_doc {
    int64_t id; /* the order in which the old server stored them */
    int64_t version, created_us;
    int64_t offset;     /* of its bytes in the spool */
    uint32_t gun, role; /* places in names */
    uint32_t length;
    bool damaged; /* its hash is not the one that the old server noted */
};
struct import_change {
    int64_t id, version, created_us;
    uint32_t gun;
    bool deletion, has_sha256;
    uint8_t sha256[32];
};
struct import_key {
    int64_t id, created_us;
    uint32_t gun;
    bool pending; /* never used to sign */
    char role[16];
    char key_id[65];
    char alias[64];
    char *sealed; /* JWE; owned */
};

struct import {
    struct trust *trust;
    const struct import_request *rq;
    FILE *spool;
    int64_t spool_size;
    void *name_tree; /* tsearch of struct name_entry */
    char **names;    /* borrowed from the tree's entries: GUNs and roles, each once */
    size_t name_count;
    struct import_doc *docs; /* after reading: by (gun, id) */
    size_t doc_count;
    struct import_change *changes; /* by id */
    size_t change_count;
    struct import_key *keys; /* by (gun, id) */
    size_t key_count;
    bool nameless_keys; /* some have no GUN */
};

/* Reads both dumps. False: err says what is wrong with which. */
bool import_read(struct import *im, struct err *err) MUST_USE;
void import_dispose(struct import *im);

struct import_range {
    size_t from, to;
};
/* One GUN and the rows that are its own. */
struct import_gun {
    const struct import *im;
    uint32_t gun;
    struct repo_name repo;
    struct import_range docs, keys;
    /* Written by import_gun_write, which may be run more than once. */
    int64_t docs_put, keys_put;
    json_t *warnings;
    struct reached_list reached; /* for the checkpoint */
    bool done;                   /* a dry run came to the end (and was rolled back) */
};

/* The rows of one GUN in an array that is sorted by gun; from == to when there are none. */
struct import_range import_docs_of(const struct import *im, uint32_t gun);
struct import_range import_keys_of(const struct import *im, uint32_t gun);

/* db_write function; arg is a struct import_gun. True with nothing put: everything was here already.
 * Expected errors: ERR_INVALID with the reason why this repository is not taken. */
bool import_gun_write(struct db_tx *tx, void *arg, struct err *err) MUST_USE;

#endif
