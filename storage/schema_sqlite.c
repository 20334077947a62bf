#include "storage/schema.h"

/* Times are microseconds since the epoch (UTC). Digests are one byte of algorithm and the raw hash.
 * An end that has not come (superseded, revoked, until) is 0, so that it can be compared without
 * NULL. Accounts are named by number without a foreign key where the row must outlive them (who
 * pushed, who signed); the number is never used again. */
#define DIGEST_CHECK(column) " CHECK (length(" column ") IN (33, 65))"

static const char first_format[] =
    "CREATE TABLE instance ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  gate_generation INTEGER NOT NULL,"
    "  incarnations INTEGER NOT NULL,"   /* given to namespaces so far */
    "  policy_changes INTEGER NOT NULL," /* policy generations given so far */
    "  audit_head BLOB NOT NULL CHECK (length(audit_head) = 32)"
    ") STRICT;"
    "INSERT INTO instance VALUES (1, 1, 0, 1, zeroblob(32));"

    "CREATE TABLE namespace ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE CHECK (name <> ''),"
    /* the order in which full repository names come: '-' and '.' sort before '/' */
    "  prefix TEXT NOT NULL UNIQUE CHECK (prefix = name || '/'),"
    "  visibility INTEGER NOT NULL CHECK (visibility BETWEEN 0 AND 2),"
    "  incarnation INTEGER NOT NULL,"
    "  quota_bytes INTEGER NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0),"
    "  used_bytes INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),"
    "  gate_generation INTEGER NOT NULL DEFAULT 0,"
    "  created_us INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE repository ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  namespace_id INTEGER NOT NULL REFERENCES namespace (id),"
    "  name TEXT NOT NULL UNIQUE CHECK (name <> ''),"
    "  gate_generation INTEGER NOT NULL DEFAULT 0,"
    "  manifest_count INTEGER NOT NULL DEFAULT 0 CHECK (manifest_count >= 0),"
    "  created_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX repository_by_namespace ON repository (namespace_id, name);"

    "CREATE TABLE account ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),"
    "  name TEXT NOT NULL UNIQUE CHECK (name <> ''),"
    "  administrator INTEGER NOT NULL DEFAULT 0 CHECK (administrator IN (0, 1)),"
    "  disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),"
    "  namespace_id INTEGER REFERENCES namespace (id) ON DELETE CASCADE,"
    "  actions INTEGER NOT NULL DEFAULT 0 CHECK (actions >= 0),"
    "  password_hash TEXT NOT NULL DEFAULT '',"
    "  password_version INTEGER NOT NULL DEFAULT 1,"
    "  created_us INTEGER NOT NULL,"
    "  CHECK ((kind = 1) = (namespace_id IS NULL)),"
    "  CHECK (kind = 1 OR (administrator = 0 AND password_hash = ''))"
    ") STRICT;"
    "CREATE UNIQUE INDEX account_by_namespace ON account (namespace_id, kind, name) "
    "WHERE namespace_id IS NOT NULL;"
    "CREATE UNIQUE INDEX account_users ON account (name) WHERE kind = 1;"

    "CREATE TABLE membership ("
    "  namespace_id INTEGER NOT NULL REFERENCES namespace (id) ON DELETE CASCADE,"
    "  account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    "  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),"
    "  signer INTEGER NOT NULL CHECK (signer IN (0, 1)),"
    "  created_us INTEGER NOT NULL,"
    "  PRIMARY KEY (namespace_id, account_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX membership_by_account ON membership (account_id, namespace_id);"

    "CREATE TABLE credential ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    "  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),"
    "  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),"
    "  created_us INTEGER NOT NULL,"
    "  last_used_us INTEGER NOT NULL DEFAULT 0,"
    "  revoked_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX credential_by_account ON credential (account_id);"

    "CREATE TABLE session ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,"
    "  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),"
    "  created_us INTEGER NOT NULL,"
    "  last_used_us INTEGER NOT NULL,"
    "  idle_us INTEGER NOT NULL CHECK (idle_us > 0),"
    "  absolute_us INTEGER NOT NULL CHECK (absolute_us > 0),"
    "  dead_us INTEGER NOT NULL," /* when it ends by itself, or ended */
    "  revoked_us INTEGER NOT NULL DEFAULT 0,"
    "  revoked_why TEXT NOT NULL DEFAULT '',"
    "  client_id TEXT NOT NULL,"
    "  user_agent TEXT NOT NULL,"
    "  address TEXT NOT NULL,"
    "  amr TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX session_by_account ON session (account_id, id);"
    "CREATE INDEX session_by_end ON session (dead_us);"

    "CREATE TABLE blob ("
    "  digest BLOB NOT NULL PRIMARY KEY" DIGEST_CHECK("digest") ","
    "  size INTEGER NOT NULL CHECK (size >= 0),"
    "  created_us INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE repository_blob ("
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  digest BLOB NOT NULL REFERENCES blob (digest),"
    "  created_us INTEGER NOT NULL,"
    "  PRIMARY KEY (repository_id, digest)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX repository_blob_by_digest ON repository_blob (digest, repository_id);"

    "CREATE TABLE manifest ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  digest BLOB NOT NULL" DIGEST_CHECK("digest") ","
    "  media_type TEXT NOT NULL,"
    "  artifact_type TEXT NOT NULL,"
    "  subject BLOB" DIGEST_CHECK("subject") ","
    "  config_digest BLOB" DIGEST_CHECK("config_digest") ","
    "  size INTEGER NOT NULL CHECK (size >= 0),"
    "  created_us INTEGER NOT NULL,"
    "  pushed_by INTEGER NOT NULL,"
    "  annotations TEXT,"
    "  content BLOB NOT NULL CHECK (length(content) = size)"
    ") STRICT;"
    "CREATE UNIQUE INDEX manifest_by_digest ON manifest (repository_id, digest);"
    "CREATE INDEX manifest_by_subject ON manifest (repository_id, subject, digest) "
    "WHERE subject IS NOT NULL;"

    "CREATE TABLE edge ("
    "  repository_id INTEGER NOT NULL,"
    "  parent BLOB NOT NULL,"
    "  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),"
    "  child BLOB NOT NULL" DIGEST_CHECK("child") ","
    "  PRIMARY KEY (repository_id, parent, kind, child),"
    "  FOREIGN KEY (repository_id, parent) REFERENCES manifest (repository_id, digest)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX edge_by_child ON edge (repository_id, child, kind);"

    "CREATE TABLE tag ("
    "  repository_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL CHECK (name <> ''),"
    "  digest BLOB NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  updated_by INTEGER NOT NULL,"
    "  updated_by_name TEXT NOT NULL,"
    "  PRIMARY KEY (repository_id, name),"
    "  FOREIGN KEY (repository_id, digest) REFERENCES manifest (repository_id, digest)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX tag_by_digest ON tag (repository_id, digest, name);"

    "CREATE TABLE tag_history ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  name TEXT NOT NULL,"
    "  digest BLOB," /* NULL: removed */
    "  changed_us INTEGER NOT NULL,"
    "  changed_by INTEGER NOT NULL,"
    "  changed_by_name TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX tag_history_by_name ON tag_history (repository_id, name, id);"

    "CREATE TABLE upload ("
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  namespace_incarnation INTEGER NOT NULL,"
    "  account_id INTEGER NOT NULL,"
    "  started_us INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX upload_by_account ON upload (account_id, started_us);"
    "CREATE INDEX upload_by_start ON upload (started_us, id);"
    "CREATE INDEX upload_by_repository ON upload (repository_id);"

    "CREATE TABLE condemned ("
    "  kind INTEGER NOT NULL CHECK (kind IN (1, 2)),"
    "  repository_id INTEGER NOT NULL CHECK ((kind = 2) = (repository_id = 0)),"
    "  digest BLOB NOT NULL" DIGEST_CHECK("digest") ","
    "  not_before_us INTEGER NOT NULL,"
    "  PRIMARY KEY (kind, repository_id, digest)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX condemned_due ON condemned (not_before_us);"

    "CREATE TABLE trust_role ("
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  role TEXT NOT NULL,"
    "  incarnation INTEGER NOT NULL CHECK (incarnation >= 1),"
    "  version INTEGER NOT NULL CHECK (version >= 1),"
    "  signed_sha256 BLOB NOT NULL CHECK (length(signed_sha256) = 32),"
    "  ended_us INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (repository_id, role)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX trust_role_by_role ON trust_role (role, repository_id);"

    "CREATE TABLE trust_doc ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  role TEXT NOT NULL,"
    "  incarnation INTEGER NOT NULL CHECK (incarnation >= 1),"
    "  version INTEGER NOT NULL CHECK (version >= 1),"
    "  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"
    "  signed_sha256 BLOB NOT NULL CHECK (length(signed_sha256) = 32),"
    "  accepted_us INTEGER NOT NULL,"
    "  superseded_us INTEGER NOT NULL DEFAULT 0,"
    "  content BLOB NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX trust_doc_by_version "
    "ON trust_doc (repository_id, role, incarnation, version);"
    "CREATE INDEX trust_doc_by_sha256 ON trust_doc (repository_id, role, sha256);"
    "CREATE UNIQUE INDEX trust_doc_current ON trust_doc (repository_id, role) "
    "WHERE superseded_us = 0;"
    "CREATE INDEX trust_doc_due ON trust_doc (role, accepted_us, repository_id) WHERE superseded_us = 0;"

    "CREATE TABLE role_target ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  role TEXT NOT NULL,"
    "  incarnation INTEGER NOT NULL CHECK (incarnation >= 1),"
    "  tag TEXT NOT NULL,"
    "  sha256 BLOB CHECK (length(sha256) = 33),"
    "  sha512 BLOB CHECK (length(sha512) = 65),"
    "  length INTEGER NOT NULL,"
    "  since_us INTEGER NOT NULL,"
    "  since_version INTEGER NOT NULL,"
    /* of a closed row; an open one goes on to the role's version */
    "  last_version INTEGER NOT NULL,"
    "  until_us INTEGER NOT NULL DEFAULT 0,"
    "  why INTEGER NOT NULL DEFAULT 0 CHECK (why BETWEEN 0 AND 4),"
    "  signers BLOB NOT NULL CHECK (length(signers) % 32 = 0),"
    "  CHECK ((until_us = 0) = (why = 0))"
    ") STRICT;"
    "CREATE UNIQUE INDEX role_target_open ON role_target (repository_id, role, tag) "
    "WHERE until_us = 0;"
    "CREATE INDEX role_target_by_tag ON role_target (repository_id, role, tag, id);"
    "CREATE INDEX role_target_by_end ON role_target (repository_id, until_us) WHERE until_us > 0;"
    "CREATE INDEX role_target_by_sha256 ON role_target (repository_id, sha256);"
    "CREATE INDEX role_target_by_sha512 ON role_target (repository_id, sha512) "
    "WHERE sha512 IS NOT NULL;"

    "CREATE TABLE tombstone ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  incarnation INTEGER NOT NULL CHECK (incarnation >= 1),"
    "  wiped_us INTEGER NOT NULL,"
    "  wiped_by TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  pin_kept INTEGER NOT NULL CHECK (pin_kept IN (0, 1)),"
    "  versions TEXT,"
    "  roots TEXT"
    ") STRICT;"
    "CREATE UNIQUE INDEX tombstone_by_incarnation ON tombstone (repository_id, incarnation);"

    "CREATE TABLE change_record ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  created_us INTEGER NOT NULL,"
    "  gun TEXT NOT NULL,"
    "  category INTEGER NOT NULL CHECK (category IN (1, 2)),"
    "  version INTEGER NOT NULL,"
    "  sha256 BLOB CHECK (length(sha256) = 32)"
    ") STRICT;"
    "CREATE INDEX change_record_by_gun ON change_record (gun, id);"

    "CREATE TABLE trust_key ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  role TEXT NOT NULL CHECK (role IN ('timestamp', 'snapshot')),"
    "  key_id TEXT NOT NULL CHECK (length(key_id) = 64),"
    "  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),"
    "  created_us INTEGER NOT NULL,"
    "  public_der BLOB NOT NULL,"
    "  sealed BLOB NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX trust_key_by_id ON trust_key (repository_id, role, key_id);"
    "CREATE UNIQUE INDEX trust_key_pending ON trust_key (repository_id, role) WHERE state = 1;"

    "CREATE TABLE trust_pin ("
    "  repository_id INTEGER NOT NULL REFERENCES repository (id),"
    "  spki BLOB NOT NULL CHECK (length(spki) = 32),"
    "  added_us INTEGER NOT NULL,"
    "  added_by TEXT NOT NULL,"
    "  PRIMARY KEY (repository_id, spki)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE namespace_root ("
    "  namespace_id INTEGER NOT NULL REFERENCES namespace (id) ON DELETE CASCADE,"
    "  spki BLOB NOT NULL CHECK (length(spki) = 32),"
    "  added_us INTEGER NOT NULL,"
    "  added_by TEXT NOT NULL,"
    "  PRIMARY KEY (namespace_id, spki)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE revoked_key ("
    "  spki BLOB NOT NULL PRIMARY KEY CHECK (length(spki) = 32),"
    "  reason TEXT NOT NULL,"
    "  revoked_us INTEGER NOT NULL,"
    "  revoked_by TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE policy ("
    "  scope TEXT NOT NULL PRIMARY KEY,"
    "  namespace_id INTEGER REFERENCES namespace (id) ON DELETE CASCADE,"
    "  pattern INTEGER NOT NULL CHECK (pattern IN (0, 1)),"
    "  generation INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  updated_by TEXT NOT NULL,"
    "  json TEXT NOT NULL,"
    "  CHECK ((scope = '*') = (namespace_id IS NULL))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX policy_by_namespace ON policy (namespace_id, pattern);"
    /* gated identities are gated from the first day */
    "INSERT INTO policy VALUES ('*', NULL, 0, 1, 0, 'init', '{\"level\":\"deploy\"}');"

    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  created_us INTEGER NOT NULL,"
    "  namespace_id INTEGER NOT NULL," /* 0: the instance; outlives the namespace */
    "  account_id INTEGER NOT NULL,"
    "  actor TEXT NOT NULL,"
    "  address TEXT NOT NULL,"
    "  proof TEXT NOT NULL,"
    "  action TEXT NOT NULL,"
    "  object TEXT NOT NULL,"
    "  outcome INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND 2),"
    "  state_before TEXT NOT NULL,"
    "  state_after TEXT NOT NULL,"
    "  prev BLOB NOT NULL CHECK (length(prev) = 32),"
    "  sha256 BLOB NOT NULL CHECK (length(sha256) = 32)"
    ") STRICT;"
    "CREATE INDEX audit_by_namespace ON audit (namespace_id, id);";

/* Referrers of one type, among many of others. */
static const char referrers_by_type[] =
    "CREATE INDEX manifest_by_subject_type ON manifest "
    "(repository_id, subject, artifact_type, digest) WHERE subject IS NOT NULL;";

/* Unfinished uploads hold a part of the quota in the index too. */
static const char upload_reservations[] =
    "ALTER TABLE namespace ADD COLUMN reserved_bytes INTEGER NOT NULL DEFAULT 0 "
    "CHECK (reserved_bytes >= 0);"
    "ALTER TABLE upload ADD COLUMN reserved_bytes INTEGER NOT NULL DEFAULT 0 "
    "CHECK (reserved_bytes >= 0);"
    /* it lives within one request, so after a restart nobody goes on with it */
    "ALTER TABLE upload ADD COLUMN single INTEGER NOT NULL DEFAULT 0 CHECK (single IN (0, 1));";

/* Rules for tags, when manifests were pulled, and what retention has in hand. A rule has a name for
 * people and a place in the order of its set; immutable = 0: it says what is kept, 0 of a condition
 * is none of it. */
static const char tag_rules[] =
    "CREATE TABLE tag_rule_set ("
    "  namespace_id INTEGER NOT NULL PRIMARY KEY REFERENCES namespace (id) ON DELETE CASCADE,"
    "  generation INTEGER NOT NULL CHECK (generation >= 1),"
    "  updated_us INTEGER NOT NULL,"
    "  updated_by TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE tag_rule ("
    "  namespace_id INTEGER NOT NULL REFERENCES tag_rule_set (namespace_id) ON DELETE CASCADE,"
    "  place INTEGER NOT NULL,"
    "  name TEXT NOT NULL CHECK (name <> ''),"
    "  repository TEXT NOT NULL CHECK (repository <> ''),"
    "  tag TEXT NOT NULL CHECK (tag <> ''),"
    "  immutable INTEGER NOT NULL CHECK (immutable IN (0, 1)),"
    "  newest INTEGER NOT NULL CHECK (newest >= 0),"
    "  younger_us INTEGER NOT NULL CHECK (younger_us >= 0),"
    "  pulled_us INTEGER NOT NULL CHECK (pulled_us >= 0),"
    "  PRIMARY KEY (namespace_id, place),"
    "  CHECK ((immutable = 1) = (newest = 0 AND younger_us = 0 AND pulled_us = 0))"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX tag_rule_by_name ON tag_rule (namespace_id, name);"
    "CREATE INDEX tag_rule_of_retention ON tag_rule (namespace_id) WHERE immutable = 0;"

    "CREATE TABLE manifest_pull ("
    "  repository_id INTEGER NOT NULL,"
    "  digest BLOB NOT NULL,"
    "  pulled_us INTEGER NOT NULL,"
    "  PRIMARY KEY (repository_id, digest),"
    "  FOREIGN KEY (repository_id, digest) REFERENCES manifest (repository_id, digest) "
    "  ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE retired_manifest ("
    "  repository_id INTEGER NOT NULL,"
    "  digest BLOB NOT NULL,"
    "  rule TEXT NOT NULL," /* that let its last tag go */
    "  not_before_us INTEGER NOT NULL,"
    "  PRIMARY KEY (repository_id, digest),"
    "  FOREIGN KEY (repository_id, digest) REFERENCES manifest (repository_id, digest) "
    "  ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX retired_manifest_due ON retired_manifest (not_before_us);"

    "CREATE TABLE retention ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  began_us INTEGER NOT NULL,"      /* the last round; 0: none yet */
    "  namespace_id INTEGER NOT NULL,"  /* where the round is; 0: it has ended */
    "  repository TEXT NOT NULL,"       /* the last one that was done in that namespace */
    "  pulls_since_us INTEGER NOT NULL" /* pulls are noted from then on; 0: not yet */
    ") STRICT;"
    "INSERT INTO retention VALUES (1, 0, 0, '', 0);"

    "CREATE INDEX role_target_open_by_tag ON role_target (repository_id, tag) "
    "WHERE until_us = 0;";

/* A blob whose file is not what it should be, since when; and how far the round of scrub has come:
 * phase 1 blobs after after_digest, 2 manifests after after_id, 0 no round. */
static const char scrub_format[] =
    "ALTER TABLE blob ADD COLUMN missing_us INTEGER NOT NULL DEFAULT 0 CHECK (missing_us >= 0);"
    "CREATE INDEX blob_missing ON blob (digest) WHERE missing_us > 0;"
    "CREATE TABLE scrub ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 2),"
    "  after_digest BLOB NOT NULL,"
    "  after_id INTEGER NOT NULL,"
    "  started_us INTEGER NOT NULL," /* the round under way, or the last one; 0: never */
    "  finished_us INTEGER NOT NULL," /* the last whole round; 0: never */
    "  blobs INTEGER NOT NULL,"
    "  manifests INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL,"
    "  findings INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO scrub VALUES (1, 0, x'', 0, 0, 0, 0, 0, 0, 0);";

/* Deleted things are invisible at once and taken away in steps: `removal` says what is left to do.
 * A namespace that is deleted and done stays as a name while its repositories have trust history.
 * `repository_idle`: rows to look at again, since they may hold nothing. */
static const char removal_format[] =
    "ALTER TABLE namespace ADD COLUMN deleted_us INTEGER NOT NULL DEFAULT 0 "
    "CHECK (deleted_us >= 0);"
    "ALTER TABLE repository ADD COLUMN deleted_us INTEGER NOT NULL DEFAULT 0 "
    "CHECK (deleted_us >= 0);"
    "CREATE TABLE removal ("
    "  kind INTEGER NOT NULL CHECK (kind IN (1, 2))," /* 1 a repository, 2 a namespace */
    "  id INTEGER NOT NULL,"
    "  after_name TEXT NOT NULL," /* repositories of the namespace up to here are marked */
    "  keep_pins INTEGER NOT NULL CHECK (keep_pins IN (0, 1)),"
    "  since_us INTEGER NOT NULL,"
    "  by_id INTEGER NOT NULL,"
    "  by_name TEXT NOT NULL,"
    "  PRIMARY KEY (kind, id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE repository_idle ("
    "  repository_id INTEGER PRIMARY KEY REFERENCES repository (id) ON DELETE CASCADE,"
    "  not_before_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX repository_idle_due ON repository_idle (not_before_us);"
    /* what an earlier version left */
    "INSERT INTO repository_idle SELECT id, 0 FROM repository WHERE manifest_count = 0;";

/* A list of namespaces says how many repositories each has: counted by what changes it, not when
 * somebody asks. */
static const char repository_counts[] =
    "ALTER TABLE namespace ADD COLUMN repository_count INTEGER NOT NULL DEFAULT 0 "
    "CHECK (repository_count >= 0);"
    "UPDATE namespace SET repository_count = (SELECT COUNT(*) FROM repository r "
    "WHERE r.namespace_id = namespace.id AND r.manifest_count > 0 "
    "AND r.deleted_us = 0);";

/* Small blobs whose files are not durable yet. Numbers are never used again: blob_journal.h. */
static const char blob_journal[] =
    "CREATE TABLE blob_journal ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  digest BLOB NOT NULL UNIQUE REFERENCES blob (digest),"
    "  content BLOB NOT NULL CHECK (length(content) <= 65536)"
    ") STRICT;";

/* An import looks whether a change is there already. */
static const char changes_by_version[] =
    "CREATE INDEX change_record_by_version ON change_record (gun, version, created_us);";

/* What the gate lets through or refuses against the signatures. `changes` counts the changes of a
 * row. Rows outlive what they are about, and ends that were never reached are 0. */
static const char gate_exceptions[] =
    "CREATE TABLE denied_digest ("
    "  scope TEXT NOT NULL CHECK (scope <> '')," /* an asterisk, or the name of a namespace */
    "  digest BLOB NOT NULL" DIGEST_CHECK("digest") ","
    "  changes INTEGER NOT NULL CHECK (changes >= 1),"
    "  lifted_us INTEGER NOT NULL DEFAULT 0,"
    "  since_us INTEGER NOT NULL,"
    "  denied_by TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  PRIMARY KEY (scope, digest)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX denied_digest_in_force ON denied_digest (scope, digest) WHERE lifted_us = 0;"

    "CREATE TABLE override ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  namespace_id INTEGER NOT NULL,"
    "  repository_id INTEGER NOT NULL,"
    "  repository TEXT NOT NULL,"
    "  digest BLOB NOT NULL" DIGEST_CHECK("digest") ","
    "  reason TEXT NOT NULL CHECK (reason <> ''),"
    "  ticket TEXT NOT NULL CHECK (ticket <> ''),"
    "  start_us INTEGER NOT NULL,"
    "  end_us INTEGER NOT NULL,"
    "  max_uses INTEGER NOT NULL CHECK (max_uses >= 0)," /* 0: any number */
    "  uses INTEGER NOT NULL DEFAULT 0,"
    "  two_person INTEGER NOT NULL CHECK (two_person IN (0, 1)),"
    "  changes INTEGER NOT NULL DEFAULT 1 CHECK (changes >= 1),"
    "  created_us INTEGER NOT NULL,"
    "  created_by_id INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  approved_us INTEGER NOT NULL DEFAULT 0,"
    "  approved_by_id INTEGER NOT NULL DEFAULT 0,"
    "  approved_by TEXT NOT NULL DEFAULT '',"
    "  ended_us INTEGER NOT NULL DEFAULT 0,"
    "  ended_by_id INTEGER NOT NULL DEFAULT 0,"
    "  ended_by TEXT NOT NULL DEFAULT '',"
    "  ended_why TEXT NOT NULL DEFAULT '',"
    "  CHECK (start_us < end_us),"
    "  CHECK (max_uses = 0 OR uses <= max_uses)"
    ") STRICT;"
    "CREATE INDEX override_by_namespace ON override (namespace_id, id);"
    "CREATE INDEX override_by_end ON override (end_us, id);"
    "CREATE INDEX override_of_repository ON override (repository_id, digest, end_us) "
    "WHERE ended_us = 0;"
    "CREATE TABLE override_identity ("
    "  override_id INTEGER NOT NULL REFERENCES override (id),"
    "  account_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  PRIMARY KEY (override_id, account_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE override_use (" /* the last one of each identity */
    "  override_id INTEGER NOT NULL REFERENCES override (id),"
    "  account_id INTEGER NOT NULL,"
    "  used_us INTEGER NOT NULL,"
    "  PRIMARY KEY (override_id, account_id)"
    ") STRICT, WITHOUT ROWID;";
/* What the gate answered, chained: decision.h. The head is kept beside the records, so that an end
 * that was cut off is found. */
static const char decision_format[] =
    "CREATE TABLE decision ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE CHECK (length(id) = 26),"
    "  created_us INTEGER NOT NULL,"
    "  repository_id INTEGER NOT NULL," /* outlives the repository; 0: a cut */
    "  account_id INTEGER NOT NULL,"
    "  effect INTEGER NOT NULL CHECK (effect BETWEEN 0 AND 2)," /* 0: a cut */
    "  identity TEXT NOT NULL,"
    "  total_bytes INTEGER NOT NULL,"
    "  sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"
    "  record TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX decision_by_repository ON decision (repository_id, number);"
    "CREATE INDEX decision_by_account ON decision (account_id, number);"
    "CREATE INDEX decision_cuts ON decision (effect, number) WHERE effect = 0;"
    "CREATE TABLE decision_chain ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  head BLOB NOT NULL CHECK (length(head) = 32),"
    "  total_bytes INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO decision_chain VALUES (1, zeroblob(32), 0);";

/* How an object was at a time, and what happened since another. */
static const char audit_by_time[] =
    "CREATE INDEX audit_by_object ON audit (action, object, id);"
    "CREATE INDEX audit_by_time ON audit (created_us, id);";

/* Which key seals a server key; "" is what was sealed before, until the next start seals it anew. */
static const char sealed_keys[] =
    "ALTER TABLE trust_key ADD COLUMN sealed_by TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX trust_key_unbound ON trust_key (id) WHERE sealed_by = '';";

/* When signed documents end, for whoever must renew them. Of what was stored before, one row of each
 * repository says that nobody has looked yet. */
static const char trust_expiry[] =
    "CREATE TABLE trust_expiry ("
    "  repository_id INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,"
    "  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5)," /* enum expiry_kind */
    "  role TEXT NOT NULL,"
    "  expires_us INTEGER NOT NULL,"
    "  namespace_id INTEGER NOT NULL,"
    "  PRIMARY KEY (repository_id, kind, role)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX trust_expiry_by_end ON trust_expiry (expires_us, repository_id, kind, role);"
    "CREATE INDEX trust_expiry_by_namespace "
    "ON trust_expiry (namespace_id, expires_us, repository_id, kind, role);"
    "CREATE INDEX trust_expiry_by_kind ON trust_expiry (kind, expires_us);"
    "INSERT INTO trust_expiry (repository_id, kind, role, expires_us, namespace_id) "
    "SELECT d.repository_id, 1, 'root', 0, r.namespace_id FROM trust_doc d "
    "JOIN repository r ON r.id = d.repository_id "
    "WHERE d.superseded_us = 0 AND d.role = 'root';";
/* Since when the next document of a role may begin a new life; 0 = not. */
static const char role_resets[] =
    "ALTER TABLE trust_role ADD COLUMN reset_us INTEGER NOT NULL DEFAULT 0 "
    "CHECK (reset_us >= 0);";

/* Superseded trust documents may be collected; what the trust documents of a namespace take. */
static const char trust_space[] =
    "ALTER TABLE trust_doc ADD COLUMN collected_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX trust_doc_superseded ON trust_doc (superseded_us, id) "
    "WHERE superseded_us > 0 AND collected_us = 0 AND role <> 'root';"
    "ALTER TABLE namespace ADD COLUMN trust_bytes INTEGER NOT NULL DEFAULT 0 "
    "CHECK (trust_bytes >= 0);"
    "UPDATE namespace SET trust_bytes = COALESCE((SELECT SUM(length(d.content)) FROM trust_doc d "
    "JOIN repository r ON r.id = d.repository_id WHERE r.namespace_id = namespace.id), 0);";

/* Which image each service was given, and the one that it has now: release.h. Rows outlive their
 * repositories and the accounts that made them. */
static const char release_format[] =
    "CREATE TABLE release ("
    "  namespace_id INTEGER NOT NULL,"
    "  service TEXT NOT NULL CHECK (length(service) BETWEEN 1 AND 63),"
    "  number INTEGER NOT NULL CHECK (number >= 1),"
    "  repository_id INTEGER NOT NULL,"
    "  repository TEXT NOT NULL,"
    "  tag TEXT NOT NULL," /* '': by digest */
    "  digest BLOB NOT NULL" DIGEST_CHECK("digest") ","
    "  decision TEXT NOT NULL," /* id of its record */
    "  reason TEXT NOT NULL,"
    "  rollback_of INTEGER NOT NULL CHECK (rollback_of BETWEEN 0 AND number)," /* 0: a new one */
    "  is_current INTEGER NOT NULL CHECK (is_current IN (0, 1)),"
    "  created_us INTEGER NOT NULL,"
    "  created_by_id INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  notes TEXT NOT NULL,"
    "  PRIMARY KEY (namespace_id, service, number)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX release_current ON release (namespace_id, service) WHERE is_current = 1;"
    "CREATE INDEX release_in_use ON release (repository_id, digest) WHERE is_current = 1;";

/* 0: stored before this was written down. */
static const char document_ends[] =
    "ALTER TABLE trust_doc ADD COLUMN expires_us INTEGER NOT NULL DEFAULT 0;";

/* 0: stored before this was written down. */
static const char listings_outside[] =
    "ALTER TABLE role_target ADD COLUMN outside INTEGER NOT NULL DEFAULT 0 CHECK (outside IN (0, 1));";

/* What the manifest of an edge is about, when it may be a metadata artifact: artifact.h. Nobody looked at the types of
 * what was stored before, so that is unsure. */
static const char artifact_edges[] =
    "ALTER TABLE edge ADD COLUMN about BLOB" DIGEST_CHECK("about") ";"
    "ALTER TABLE edge ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0 CHECK (unsure IN (0, 1));"
    "UPDATE edge SET unsure = 1, about = (SELECT m.subject FROM manifest m WHERE "
    "m.repository_id = edge.repository_id AND m.digest = edge.parent) WHERE kind IN (1, 2) AND "
    "(repository_id, parent) IN (SELECT m.repository_id, m.digest FROM manifest m "
    "WHERE m.subject IS NOT NULL);"
    "CREATE INDEX edge_of_artifact ON edge (repository_id, child, about, unsure, parent) "
    "WHERE about IS NOT NULL;";

/* Where a digest is signed that is not signed here. */
static const char released_digests[] =
    "CREATE INDEX role_target_released ON role_target (sha256, repository_id) WHERE until_us = 0 AND "
    "outside = 0 AND role IN ('targets', 'targets/releases');";
/* When the server makes a document anew, by that document's own life; 0: it does not. Of what was stored
 * before, the end may stand in its bytes alone. */
static const char document_renewals[] =
    "ALTER TABLE trust_doc ADD COLUMN renew_us INTEGER NOT NULL DEFAULT 0;"
    "UPDATE trust_doc SET expires_us = COALESCE(CASE WHEN json_valid(CAST(content AS TEXT)) THEN "
    "unixepoch(json_extract(CAST(content AS TEXT), '$.signed.expires')) END * 1000000, 0) "
    "WHERE superseded_us = 0 AND expires_us = 0 AND role IN ('timestamp', 'snapshot');"
    "UPDATE trust_doc SET renew_us = MAX(1, accepted_us + (expires_us - accepted_us) / 2) "
    "WHERE superseded_us = 0 AND role IN ('timestamp', 'snapshot');"
    "DROP INDEX trust_doc_due;"
    "CREATE INDEX trust_doc_renewal ON trust_doc (renew_us, repository_id) "
    "WHERE superseded_us = 0 AND renew_us > 0;";

/* A snapshot by a client's key is nobody's to make anew here: it leaves the list of what will be due. */
static const char snapshots_of_clients[] =
    "UPDATE trust_doc SET renew_us = 0 WHERE superseded_us = 0 AND renew_us > 0 AND "
    "role = 'snapshot' AND NOT EXISTS (SELECT 1 FROM trust_key k WHERE "
    "k.repository_id = trust_doc.repository_id AND k.role = 'snapshot' AND k.state = 2);";

const char *const schema_migrations[] = {
    first_format,
    referrers_by_type,
    upload_reservations,
    tag_rules,
    scrub_format,
    removal_format,
    repository_counts,
    blob_journal,
    changes_by_version,
    gate_exceptions,
    decision_format,
    audit_by_time,
    sealed_keys,
    trust_expiry,
    role_resets,
    trust_space,
    release_format,
    document_ends,
    listings_outside,
    artifact_edges,
    released_digests,
    document_renewals,
    snapshots_of_clients,
};
const int schema_migration_count = sizeof(schema_migrations) / sizeof(schema_migrations[0]);
