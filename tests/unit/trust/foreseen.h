/* What a publish would change, asked before each publish of the tests over a real store and compared
 * with what it did change. For bench.h, which publishes. */
#ifndef TESTS_UNIT_TRUST_FORESEEN_H
#define TESTS_UNIT_TRUST_FORESEEN_H

#include "storage/role_target.h"

#define FORESEEN_MAX 16

struct foreseen {
    bool accepted;
    struct digest digests[FORESEEN_MAX]; /* of what is, or would be, signed; no order */
    size_t count;
    struct decision by_digest[FORESEEN_MAX], by_tag[2];
};

static inline void foresee_digests(struct foreseen *f, struct db_tx *tx, int64_t repository_id)
{
    static const char *const roles[] = {"targets", ROLE_RELEASES};
    for (int r = 0; r < 2; r++) {
        auto_role_target_list struct role_target_list rows = {0};
        OK(role_target_listed(tx, repository_id, slice_str(roles[r]), &rows, err));
        for (size_t i = 0; i < rows.count && f->count < FORESEEN_MAX; i++) {
            f->digests[f->count++] = rows.items[i].sha256;
        }
    }
}

/* By the view, or by what is stored when there is none. */
static inline void decide_all(struct bench *b, struct db_tx *tx, const struct repository *repo,
                              struct gate_view *view, struct foreseen *f)
{
    static const char *const tags[] = {"v1", "v2"};
    struct gate_caller caller = {.gated = true, .view = view};
    for (int i = 0; i < 2; i++) {
        struct tag_name name = tag_of(tags[i]);
        struct tag current;
        bool exists = tag_get(tx, repo->id, &name, &current, NULL);
        gate_decide_tag(b->trust, tx, &caller, repo, &repo->name, &name, exists ? &current : NULL,
                        -1, b->now_us, &f->by_tag[i]);
    }
    for (size_t i = 0; i < f->count; i++) {
        gate_decide_digest(b->trust, tx, &caller, repo, &repo->name, &f->digests[i], b->now_us,
                           &f->by_digest[i]);
    }
}

static inline void foresee(struct bench *b, const struct publish_request *request,
                           struct foreseen *f)
{
    struct publish_verdict *v = NULL;
    struct gate_assumption assume = {.published = NULL};
    struct err refusal = {0};
    f->accepted = publish_try(b->trust, request, &v, &assume.published, &refusal);
    publish_verdict_free(v);
    READ(b->w)
    {
        auto_gate_view struct gate_view *view = NULL;
        struct repository repo;
        if (!f->accepted || !repository_get(tx, &request->repo, &repo, NULL)) {
            continue;
        }
        foresee_digests(f, tx, repo.id);
        for (size_t r = 0; assume.published && r < assume.published->role_count; r++) {
            const struct tuf_doc *doc = assume.published->roles[r].doc;
            for (size_t i = 0; doc && i < doc->target_count && f->count < FORESEEN_MAX; i++) {
                (void)digest_from_hash(DIGEST_SHA256, doc->target_list[i].file.sha256, 32,
                                       &f->digests[f->count++]);
            }
        }
        OK(gate_view_assume(b->trust, tx, &repo, b->now_us, &assume, &view, err));
        decide_all(b, tx, &repo, view, f);
    }
    trust_state_free(assume.published);
}

static inline void same_decision(const struct decision *would, const struct decision *is)
{
    if (would->effect != is->effect || would->reason != is->reason ||
        !digest_equal(&would->serve, &is->serve) || strcmp(would->role, is->role) != 0) {
        fail_msg("foreseen %s (%s), came %s (%s)", gate_reason_info(would->reason)->name,
                 would->message, gate_reason_info(is->reason)->name, is->message);
    }
}

static inline void compare_foreseen(struct bench *b, const struct repo_name *name,
                                    const struct foreseen *f)
{
    struct foreseen *now = xcalloc(1, sizeof *now);
    memcpy(now->digests, f->digests, sizeof now->digests);
    now->count = f->count;
    READ(b->w)
    {
        struct repository repo;
        OK(repository_get(tx, name, &repo, err));
        decide_all(b, tx, &repo, NULL, now);
    }
    for (size_t i = 0; i < 2; i++) {
        same_decision(&f->by_tag[i], &now->by_tag[i]);
    }
    for (size_t i = 0; i < f->count; i++) {
        same_decision(&f->by_digest[i], &now->by_digest[i]);
    }
    free(now);
}

#endif
