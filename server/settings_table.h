/* Every setting of bondstore.yaml that is one value: reading, checking, environment names,
 * `bondstore settings` and its reference page come from these rows. Lists (listen, aliases) are in
 * config.c.
 *
 * X(section, key, type, default, low, high, words, sentence, reason)
 *
 * - type: TEXT; FLAG true or false; WORD one of `words`; COUNT a number; SIZE bytes with B, KiB,
 *   MiB, GiB or TiB; DURATION with s, m, h or d
 * - low, high: bounds of COUNT (as is), SIZE (bytes) and DURATION (seconds) */
#define SETTINGS_TOP(X)                                                                            \
    X(top, public_url, TEXT, "", 0, 0, "",                                                         \
      "The address that clients use, https://HOST or https://HOST:PORT.",                          \
      "Tokens, signatures and challenges name it; http:// is for loopback hosts only. Required.")  \
    X(top, data, TEXT, ".", 0, 0, "", "The data folder: database, blobs, secrets.",                \
      "Relative paths count from the folder of the configuration file.")                           \
    X(top, behind_proxy, FLAG, "false", 0, 0, "",                                                  \
      "A proxy in front ends TLS and sets X-Forwarded-For.",                                       \
      "Allows plain listeners on any address, takes client addresses from the last entry of that " \
      "header, and "                                                                               \
      "lifts the limit of connections per address.")                                               \
    X(top, canonical_host, TEXT, "", 0, 0, "",                                                     \
      "Host[:port] in the names of signed collections; empty: that of public_url.",                \
      "Signatures are bound to it, so it stays when the address changes.")                         \
    X(top, sparse_manifests, FLAG, "false", 0, 0, "",                                              \
      "Accept manifests whose layers or platforms were never pushed here.",                        \
      "Mirrors of parts of an image need it; everybody else wants to hear that a push is "         \
      "incomplete.")                                                                               \
    X(top, sign_in, WORD, "required", 0, 0, "required|none",                                       \
      "none: whoever comes from this machine may push, sign and delete without signing in.",       \
      "For trying things out, where public_url is a loopback host: clients sign in only where "    \
      "they are asked to, so nobody is gated.")

#define SETTINGS_NAMESPACES(X)                                                                     \
    X(namespaces, create_on_push, WORD, "administrators", 0, 0, "administrators|never",            \
      "Whose first push to a namespace that does not exist makes it.",                             \
      "So that the first push to a fresh server works; the administrator becomes the owner.")

#define SETTINGS_LIMITS(X)                                                                         \
    X(limits, manifest, SIZE, "4MiB", 65536, 67108864, "", "Largest manifest.",                    \
      "The OCI specification asks for at least 4 MiB.")                                            \
    X(limits, trust_upload, SIZE, "32MiB", 1048576, 268435456, "",                                 \
      "Largest upload of trust data.", "It is checked whole, in memory.")                          \
    X(limits, publishes, COUNT, "600", 0, 1000000, "",                                             \
      "Publishes of trust data and deployments by one account in a minute; 0: without limit.",     \
      "Each verifies signatures and is kept; machines that sign in bulk may need more.")           \
    X(limits, token_form, SIZE, "16KiB", 4096, 1048576, "", "Largest form posted to /token.",      \
      "Anybody may post it.")                                                                      \
    X(limits, api_body, SIZE, "1MiB", 4096, 67108864, "", "Largest JSON body below /api.",         \
      "It is read into memory.")                                                                   \
    X(limits, request_head, SIZE, "16KiB", 8192, 49152, "",                                        \
      "Largest request head: address and headers.",                                                \
      "Access tokens for pushes with many mounts need several KiB.")                               \
    X(limits, connections, COUNT, "4096", 16, 65536, "", "Open connections per listener.",         \
      "Each holds up to 72 KiB, 80 with TLS. Fewer when the limit of open files is low.")          \
    X(limits, connections_per_address, COUNT, "1024", 4, 65536, "",                                \
      "Open connections from one address.", "A cluster behind one address opens hundreds.")        \
    X(limits, idle, DURATION, "60s", 5, 3600, "",                                                  \
      "A connection that says nothing for so long is closed.", "Idle connections hold memory.")    \
    X(limits, slow_after, DURATION, "60s", 5, 3600, "",                                            \
      "From then on a request must keep up the minimum rate.",                                     \
      "Slow bytes hold a connection for ever otherwise.")                                          \
    X(limits, slow_rate, SIZE, "1KiB", 1, 1048576, "",                                             \
      "Minimum bytes per second of a request, both ways together.",                                \
      "Below it the connection is ended.")                                                         \
    X(limits, uploads_per_account, COUNT, "512", 1, 100000, "", "Open uploads of one account.",    \
      "One more ends its longest idle one.")                                                       \
    X(limits, upload_idle, DURATION, "24h", 60, 2592000, "",                                       \
      "An upload without news for so long ends.", "Its bytes take space.")                         \
    X(limits, unreferenced, DURATION, "24h", 60, 31536000, "",                                     \
      "A blob that no manifest names is kept for so long.",                                        \
      "A push uploads blobs before the manifest.")                                                 \
    X(limits, threads, COUNT, "0", 0, 64, "", "Loop threads per listener; 0: one per core.",       \
      "They never block; more than cores is of no use.")                                           \
    X(limits, workers, COUNT, "0", 0, 256, "",                                                     \
      "Threads for work that may block; 0: four per core, at least 16.",                           \
      "They wait for the disk most of the time, and those that wait together share a sync.")       \
    X(limits, queue, COUNT, "256", 8, 65536, "", "Requests that may wait for a worker; then 503.", \
      "A longer queue only makes answers late.")

#define SETTINGS_TOKENS(X)                                                                         \
    X(tokens, lifetime, DURATION, "1h", 300, 86400, "", "Life of access tokens.",                  \
      "Every request is checked against the live account, so a long life loses nothing; clients "  \
      "fail on short "                                                                             \
      "ones.")

#define SETTINGS_PASSWORDS(X)                                                                      \
    X(passwords, memory, SIZE, "64MiB", 19922944, 1073741824, "",                                  \
      "Memory of one Argon2id computation.",                                                       \
      "19 MiB with two passes is the least that is advised.")                                      \
    X(passwords, passes, COUNT, "3", 1, 16, "", "Passes of Argon2id.",                             \
      "RFC 9106 advises 3 with 64 MiB.")                                                           \
    X(passwords, at_once, COUNT, "0", 0, 64, "",                                                   \
      "Passwords hashed at once; 0: half of the cores.", "Each takes the memory above.")

#define SETTINGS_TRUST(X)                                                                          \
    X(trust, timestamp_life, DURATION, "14d", 3600, 31536000, "",                                  \
      "Life of the timestamps that the server signs.",                                             \
      "How long a stopped or frozen copy of the server goes on being believed. Renewed at half "   \
      "of it.")                                                                                    \
    X(trust, snapshot_life, DURATION, "1095d", 86400, 315360000, "",                               \
      "Life of the snapshots that the server signs.", "Clients expect years.")                     \
    X(trust, checkpoint, TEXT, "", 0, 0, "",                                                       \
      "File that remembers how far the trust data has come; empty: checkpoint/trust in the data "   \
      "folder.",                                                                                    \
      "A restored database is told from a current one by it. On another volume than the data, in a " \
      "folder that exists, it is not restored together with them.")                                 \
    X(trust, override_notice, TEXT, "", 0, 0, "",                                                  \
      "Unix datagram socket that is told of each use of an override, one JSON object each; empty: " \
      "none.",                                                                                      \
      "Whoever listens there passes it on, to a pager or a chat. Relative paths count from the "    \
      "folder of the configuration file.")                                                          \
    X(trust, override_notice_required, FLAG, "false", 0, 0, "",                                    \
      "Whether a use that cannot be told there is refused.",                                       \
      "Refused it is 503, until somebody listens again; otherwise a line in the log says so.")     \
    X(trust, keep_superseded, DURATION, "30d", 3600, 315360000, "",                                \
      "Targets, delegations, snapshots and timestamps that newer ones took the place of are kept "  \
      "for so long.",                                                                               \
      "Clients read them within seconds. Roots are kept for ever, and what is in a policy's grace "  \
      "for as long as it is.")                                                                      \
    X(trust, max_lifetime, DURATION, "0s", 0, 315360000, "",                                        \
      "A publish whose documents would live longer is refused; 0: it is only warned of.",          \
      "What the clients sign by themselves is never too long: roots ten years, all else three.")   \
    X(trust, namespace_size, SIZE, "16GiB", 0, 1099511627776, "",                                  \
      "Trust documents that one namespace may hold, beside its quota; 0: no limit.",               \
      "Each publish stores its documents whole; the server's own renewals are never refused.")     \
    X(trust, view_memory, SIZE, "64MiB", 1048576, 17179869184, "",                                 \
      "Memory for the gate's views of repositories.",                                              \
      "A view that is thrown out costs a millisecond to make again. One is kept, whatever its size.")

#define SETTINGS_MAINTENANCE(X)                                                                    \
    X(maintenance, interval, DURATION, "60s", 1, 86400, "",                                        \
      "Time between two rounds of maintenance.",                                                   \
      "A round renews timestamps, ends idle uploads, collects unreferenced blobs, and truncates "  \
      "the log of the "                                                                            \
      "database.")

#define SETTINGS_RETENTION(X)                                                                      \
    X(retention, interval, DURATION, "24h", 1, 2592000, "",                                        \
      "Time between two rounds of the tag rules that remove old tags.",                            \
      "A round looks at every tag of the namespaces that have such rules, in small steps.")

#define SETTINGS_DECISIONS(X)                                                                      \
    X(decisions, keep, DURATION, "365d", 0, 315360000, "",                                         \
      "How long records of the gate's decisions are kept; 0s: for ever.",                          \
      "Older ones are cut off by maintenance; what is left still proves itself.")                  \
    X(decisions, size, SIZE, "4GiB", 0, 17592186044416, "",                                        \
      "Bytes of records of decisions that are kept; 0B: no bound.",                                \
      "A record has about a KiB; equal decisions within a minute share two.")

#define SETTINGS_SCRUB(X)                                                                          \
    X(scrub, interval, DURATION, "30d", 0, 31536000, "",                                           \
      "Time between the starts of two rounds in which every blob is read and hashed again; 0s: "   \
      "never.",                                                                                    \
      "Disks lose bytes in silence; a blob that is found in time can be pushed again.")            \
    X(scrub, rate, SIZE, "16MiB", 65536, 17179869184, "",                                          \
      "Bytes per second that a round reads at most.",                                              \
      "1 TiB takes 18 hours at 16 MiB/s, and requests hardly notice.")

#define SETTINGS_LOG(X)                                                                            \
    X(log, level, WORD, "info", 0, 0, "debug|info|warn|error",                                     \
      "Least important event that is logged.", "Requests are logged at info.")

/* S(section, its rows) */
#define SETTINGS_SECTIONS(S)                                                                       \
    S(namespaces, SETTINGS_NAMESPACES)                                                             \
    S(limits, SETTINGS_LIMITS)                                                                     \
    S(tokens, SETTINGS_TOKENS)                                                                     \
    S(passwords, SETTINGS_PASSWORDS)                                                               \
    S(trust, SETTINGS_TRUST)                                                                       \
    S(maintenance, SETTINGS_MAINTENANCE)                                                           \
    S(retention, SETTINGS_RETENTION)                                                               \
    S(decisions, SETTINGS_DECISIONS)                                                               \
    S(scrub, SETTINGS_SCRUB)                                                                       \
    S(log, SETTINGS_LOG)
