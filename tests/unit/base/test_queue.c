#include "base/queue.h"
#include "tests/unit/base/check.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static void order_and_room(void **state)
{
    int items[4];
    void *out = NULL;
    struct queue *q = queue_new(3);
    (void)state;
    assert_true(queue_try_push(q, &items[0]));
    assert_true(queue_try_push(q, &items[1]));
    assert_true(queue_try_push(q, &items[2]));
    assert_false(queue_try_push(q, &items[3]));
    assert_true(queue_pop(q, &out));
    assert_ptr_equal(out, &items[0]);
    assert_true(queue_try_push(q, &items[3])); /* around the end of the ring */
    for (int i = 1; i < 4; i++) {
        assert_true(queue_pop(q, &out));
        assert_ptr_equal(out, &items[i]);
    }
    queue_free(q);
}

static void closing(void **state)
{
    int item;
    void *out = &item;
    struct queue *q = queue_new(2);
    (void)state;
    assert_true(queue_try_push(q, &item));
    queue_close(q);
    assert_false(queue_try_push(q, &item));
    assert_true(queue_pop(q, &out)); /* what is in it still comes out */
    assert_ptr_equal(out, &item);
    assert_false(queue_pop(q, &out));
    assert_null(out);
    queue_close(q);
    queue_free(q);
    queue_free(NULL);
}

static void *wait_for_item(void *arg)
{
    void *out = NULL;
    return queue_pop(arg, &out) ? out : NULL;
}

static void closing_wakes_everybody(void **state)
{
    int item;
    void *result = &item;
    pthread_t threads[2];
    struct queue *empty = queue_new(1);
    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_item, empty), 0);
    }
    usleep(20000);
    queue_close(empty);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    queue_free(empty);
}

#define ITEMS 2000
#define THREADS 3
#define ROOM 7 /* few, so that the ring goes round and is often full */

struct traffic {
    struct queue *queue;
    sem_t room;
    atomic_int seen[ITEMS];
    int items[ITEMS];
    atomic_int next;
};

static void *produce(void *arg)
{
    struct traffic *t = arg;
    for (;;) {
        int i = atomic_fetch_add(&t->next, 1);
        if (i >= ITEMS) {
            return NULL;
        }
        assert_int_equal(sem_wait(&t->room), 0);
        assert_true(queue_try_push(t->queue, &t->items[i]));
    }
}

static void *consume(void *arg)
{
    struct traffic *t = arg;
    void *item = NULL;
    while (queue_pop(t->queue, &item)) {
        assert_int_equal(sem_post(&t->room), 0);
        atomic_fetch_add(&t->seen[(int *)item - t->items], 1);
    }
    return NULL;
}

static void every_item_comes_out_once(void **state)
{
    static struct traffic t;
    pthread_t producers[THREADS];
    pthread_t consumers[THREADS];
    (void)state;
    t.queue = queue_new(ROOM);
    assert_int_equal(sem_init(&t.room, 0, ROOM), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &t), 0);
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, &t), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(producers[i], NULL), 0);
    }
    queue_close(t.queue);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(consumers[i], NULL), 0);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(t.seen[i], 1);
    }
    queue_free(t.queue);
    assert_int_equal(sem_destroy(&t.room), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_room),
        cmocka_unit_test(closing),
        cmocka_unit_test(closing_wakes_everybody),
        cmocka_unit_test(every_item_comes_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
