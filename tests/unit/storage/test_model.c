/* The store against a model of it: random operations, restarts and crashes, everything compared again and again. Each
 * life of the store is a child process; the model lies in memory that outlives it.
 * BONDSTORE_MODEL_SEED has a run again, BONDSTORE_MODEL_OPERATIONS makes it as long as you like. */
#include "tests/unit/storage/model/crash.h"
#include "tests/unit/storage/model/driver.h"
#include "tests/unit/storage/model/pick.h"
#include "tests/unit/storage/model/recover.h"
#include "tests/unit/storage/world.h"

#include <sodium.h>
#include <sys/mman.h>

#define BEGIN                                                                                      \
    INT64_C(                                                                                       \
        4000000000000000) /* of the model's time: after the time of any machine that runs this */
#define OPERATIONS_DEFAULT 1500
#define COMPARE_EVERY 100
#define LIFE_MAX 120 /* operations of one process */
#define TOLD 12      /* operations that are shown after a failure */
#define SEED_DEFAULT 1

/* What outlives a process. */
struct shared {
    struct model models[2];
    int current; /* of the two; the other one is where the operation in flight leads */
    bool founded;
    bool in_flight; /* op was begun, and nobody knows whether it is done */
    struct operation op;
    struct dice dice;
    int64_t done, refused, crashes;
    int64_t by_kind[OP_COUNT];  /* those that succeeded */
    int64_t by_code[ERR_COUNT]; /* those that were refused */
    int64_t cut[OP_COUNT];      /* in flight when the process was killed */
    char told[TOLD][400];
    int64_t told_count;
    char failure[1500];
};

struct run {
    struct universe universe;
    struct folder folder;
    struct shared *shared;
    uint64_t seed;
    int64_t operations;
    struct driver driver;
};

/* --- in the child ----------------------------------------------------------------------------- */

NORETURN static void fail_life(struct run *run, const char *what)
{
    struct shared *s = run->shared;
    snprintf(s->failure, sizeof(s->failure), "%s: %s", what,
             run->driver.why.n ? run->driver.why.p : "no more is known");
    _exit(1);
}

static void expect(struct run *run, bool good, const char *what)
{
    if (!good || run->driver.why.n > 0) {
        fail_life(run, what);
    }
}

static void tell(struct run *run, const struct operation *op)
{
    struct shared *s = run->shared;
    auto_buf struct buf line = {0};
    operation_format(op, &run->universe, &line);
    snprintf(s->told[s->told_count++ % TOLD], sizeof(s->told[0]), "%lld. %s",
             (long long)(s->done + 1), line.p);
}

static bool same_answer(const struct answer *a, const struct answer *b)
{
    return a->code == b->code && a->a == b->a && a->b == b->b && a->c == b->c && a->d == b->d;
}

static const char *code_name(enum err_code code)
{
    return code == ERR_NONE ? "done" : err_info(code)->symbol;
}

static void compare_answers(struct run *run, const struct answer *want, const struct answer *got)
{
    if (!same_answer(want, got)) {
        driver_differs(&run->driver,
                       "it answers %s (%lld, %lld, %lld, %lld), not %s (%lld, %lld, "
                       "%lld, %lld)",
                       code_name(got->code), (long long)got->a, (long long)got->b,
                       (long long)got->c, (long long)got->d, code_name(want->code),
                       (long long)want->a, (long long)want->b, (long long)want->c,
                       (long long)want->d);
    }
}

static void count(struct shared *s, const struct operation *op, const struct answer *answer)
{
    s->done++;
    s->refused += answer->code != ERR_NONE;
    s->by_code[answer->code]++;
    s->by_kind[op->kind] += answer->code == ERR_NONE;
}

static void operate(struct run *run, const struct operation *op)
{
    struct shared *s = run->shared;
    const struct model *before = &s->models[s->current];
    struct model *after = &s->models[!s->current];
    char id[UPLOAD_ID_MAX];
    s->op = *op;
    *after = *before;
    struct answer want = model_apply(after, &run->universe, op);
    s->in_flight = true;
    struct answer got = driver_run(&run->driver, before, op, id);
    compare_answers(run, &want, &got);
    expect(run, true, "an operation answers otherwise");
    if (op->kind == OP_START && got.code == ERR_NONE) {
        memcpy(after->sessions[op->session].id, id, sizeof(id));
    }
    driver_learn(&run->driver, after);
    s->current = !s->current;
    s->in_flight = false;
    count(s, op, &want);
}

static void compare(struct run *run)
{
    const struct shared *s = run->shared;
    expect(run, driver_compare(&run->driver, &s->models[s->current]), "the store differs");
}

static void compare_touched(struct run *run, const struct operation *op)
{
    const struct shared *s = run->shared;
    expect(run, driver_compare_touched(&run->driver, &s->models[s->current], op),
           "the store differs at once");
}

static void open_store(struct run *run)
{
    struct shared *s = run->shared;
    expect(run, driver_open(&run->driver, run->folder.path, &run->universe), "opening");
    if (!s->founded) {
        model_init(&s->models[0]);
        s->models[0].now_us = BEGIN;
        driver_found(&run->driver, &s->models[0]);
        expect(run, true, "founding");
        s->founded = true;
    }
    if (!s->in_flight) {
        model_restart(&s->models[s->current]);
        return compare(run);
    }
    struct model found;
    expect(run,
           recover(&run->driver, &s->models[s->current], &s->models[!s->current], &s->op, &found),
           "after a crash");
    s->models[s->current] = found;
    s->cut[s->op.kind]++;
    s->in_flight = false;
}

static void pick(struct run *run, struct operation *op)
{
    struct shared *s = run->shared;
    struct model *m = &s->models[s->current];
    driver_look_at_files(&run->driver, m);
    operation_pick(m, &run->universe, &s->dice, op);
    if (op->kind == OP_APPEND || op->kind == OP_FINISH) {
        op->sealed = driver_is_sealed(&run->driver, &m->sessions[op->session]);
        op->reserved = driver_reserved(&run->driver, &m->sessions[op->session]);
    }
}

static void live(struct run *run, int operations)
{
    open_store(run);
    for (int i = 0; i < operations; i++) {
        struct operation op;
        pick(run, &op);
        tell(run, &op);
        operate(run, &op);
        compare_touched(run, &op);
        if (run->shared->done % COMPARE_EVERY == 0) {
            compare(run);
        }
    }
    driver_close(&run->driver);
}

static void operate_as(struct run *run, enum operation_kind kind, int64_t n, int64_t step_us)
{
    struct shared *s = run->shared;
    driver_look_at_files(&run->driver, &s->models[s->current]);
    struct operation op = {
        .kind = kind, .now_us = s->models[s->current].now_us + step_us, .n = n, .like = NONE};
    tell(run, &op);
    operate(run, &op);
}

/* Time goes by and nobody pushes: what nothing names goes, and nothing else. */
static void come_to_rest(struct run *run)
{
    open_store(run);
    operate_as(run, OP_EXPIRE, SESSIONS, IDLE_US + 1);
    operate_as(run, OP_DRAIN, 5, KEEP_US);
    operate_as(run, OP_SETTLE, 0, 1);
    compare(run);
    const struct shared *s = run->shared;
    expect(run, driver_compare_idle(&run->driver, &s->models[s->current]), "at rest");
    driver_close(&run->driver);
}

/* --- in the parent ---------------------------------------------------------------------------- */

static void tell_failure(const struct run *run, int status)
{
    const struct shared *s = run->shared;
    print_error("BONDSTORE_MODEL_SEED=%llu BONDSTORE_MODEL_OPERATIONS=%lld runs it again\n",
                (unsigned long long)run->seed, (long long)run->operations);
    for (int64_t i = s->told_count > TOLD ? s->told_count - TOLD : 0; i < s->told_count; i++) {
        print_error("%s\n", s->told[i % TOLD]);
    }
    fail_msg("%s (status %x, %lld crashes)", s->failure, (unsigned)status, (long long)s->crashes);
}

/* True: the child was killed as planned. */
static bool wait_life(struct run *run, pid_t pid, bool may_die)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && may_die;
    if (!died && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        tell_failure(run, status);
    }
    run->shared->crashes += died;
    return died;
}

/* A failed assertion of the shared helpers ends the child, and not the test in it. */
static pid_t fork_life(void)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    }
    return pid;
}

/* How a life ends: by itself, anywhere, or where files come and go. */
static enum crash_call any_end(struct dice *d, int operations, int64_t *calls_out)
{
    static const enum crash_call ends[] = {CRASH_NEVER, CRASH_ANY, CRASH_ANY, CRASH_LINK,
                                           CRASH_UNLINK};
    enum crash_call end = ends[dice_below(d, COUNT(ends))];
    *calls_out = 1 + dice_below(d, end == CRASH_ANY ? operations * 12 : 1 + operations / 8);
    return end;
}

static void live_once(struct run *run)
{
    struct dice *d = &run->shared->dice;
    int operations = 1 + dice_below(d, LIFE_MAX);
    int64_t calls = 0;
    enum crash_call end = any_end(d, operations, &calls);
    bool after = dice_once_in(d, 2);
    pid_t pid = fork_life();
    if (pid == 0) {
        crash_arm(end, calls, after);
        live(run, operations);
        _exit(0);
    }
    (void)wait_life(run, pid, end != CRASH_NEVER);
}

static void rest_once(struct run *run)
{
    pid_t pid = fork_life();
    if (pid == 0) {
        come_to_rest(run);
        exit(0); /* with a look for leaks */
    }
    (void)wait_life(run, pid, false);
}

static void *shared_memory(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static void report(const struct run *run)
{
    const struct shared *s = run->shared;
    print_message("seed %llu: %lld operations, %lld refused as they should, %lld crashes\n",
                  (unsigned long long)run->seed, (long long)s->done, (long long)s->refused,
                  (long long)s->crashes);
    for (int i = 0; i < OP_COUNT; i++) {
        print_message("  %s: %lld done, %lld cut by a crash\n",
                      operation_name((enum operation_kind)i), (long long)s->by_kind[i],
                      (long long)s->cut[i]);
    }
    for (int i = 1; i < ERR_COUNT; i++) {
        if (s->by_code[i] > 0) {
            print_message("  %s: %lld\n", err_info((enum err_code)i)->symbol,
                          (long long)s->by_code[i]);
        }
    }
}

static void run_model(struct run *run, uint64_t seed)
{
    run->seed = seed;
    print_message("BONDSTORE_MODEL_SEED=%llu\n", (unsigned long long)seed);
    universe_init(&run->universe, seed);
    run->shared->dice.state = seed;
    for (int64_t life = 1; run->shared->done < run->operations; life++) {
        live_once(run);
        if (life % 25 == 0) {
            rest_once(run);
        }
    }
    rest_once(run);
    report(run);
    assert_true(run->shared->crashes > 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

static int64_t setting(const char *name, int64_t otherwise)
{
    int64_t value = 0;
    const char *text = getenv(name);
    return text && slice_to_int64(slice_str(text), &value) ? value : otherwise;
}

static int run_setup(void **state)
{
    struct run *run = xcalloc(1, sizeof(*run));
    run->operations = setting("BONDSTORE_MODEL_OPERATIONS", OPERATIONS_DEFAULT);
    run->shared = shared_memory(sizeof(*run->shared));
    folder_make(&run->folder);
    *state = run;
    return 0;
}

static int run_teardown(void **state)
{
    struct run *run = *state;
    universe_dispose(&run->universe);
    folder_remove(&run->folder);
    (void)munmap(run->shared, sizeof(*run->shared));
    free(run);
    return 0;
}

static void the_store_is_what_the_model_says(void **state)
{
    run_model(*state, (uint64_t)setting("BONDSTORE_MODEL_SEED", SEED_DEFAULT));
}

/* Another run each time, unless one is asked for. */
static void whatever_the_seed(void **state)
{
    if (getenv("BONDSTORE_MODEL_SEED")) {
        skip();
    }
    run_model(*state, randombytes_random());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_is_what_the_model_says, run_setup, run_teardown),
        cmocka_unit_test_setup_teardown(whatever_the_seed, run_setup, run_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
