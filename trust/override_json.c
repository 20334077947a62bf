/* How an override is told. */
#include "base/clock.h"
#include "trust/override.h"

const char *override_state_word(enum override_state state)
{
    switch (state) {
    case OVERRIDE_ENDED:
        return "ended";
    case OVERRIDE_EXPIRED:
        return "expired";
    case OVERRIDE_USED_UP:
        return "used_up";
    case OVERRIDE_WAITING:
        return "waiting";
    case OVERRIDE_AHEAD:
        return "ahead";
    case OVERRIDE_ACTIVE:
        return "active";
    }
    return "ended";
}

static json_t *time_json(int64_t us)
{
    char text[TIME_STR_MAX];
    return us > 0 ? json_string(time_format(us - us % US_PER_SECOND, text)) : json_null();
}

static json_t *name_json(const struct override_act *act)
{
    return act->us > 0 ? json_string(act->name) : json_null();
}

json_t *override_json(const struct override *o, int64_t now_us)
{
    char digest[DIGEST_STR_MAX];
    json_t *identities = json_array();
    for (size_t i = 0; i < o->identity_count; i++) {
        json_array_append_new(identities, json_string(o->identities[i].name));
    }
    json_t *out =
        json_pack("{s:I, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:I}", "id", (json_int_t)o->id,
                  "repository", o->repository, "digest", digest_format(&o->digest, digest),
                  "identities", identities, "reason", o->reason, "ticket", o->ticket, "state",
                  override_state_word(override_state_of(o, now_us)), "start",
                  time_json(o->start_us), "end", time_json(o->end_us), "uses", (json_int_t)o->uses);
    json_object_set_new(out, "max_uses",
                        o->max_uses > 0 ? json_integer((json_int_t)o->max_uses) : json_null());
    json_object_set_new(out, "two_person", json_boolean(o->two_person));
    json_object_set_new(out, "created", time_json(o->created.us));
    json_object_set_new(out, "created_by", name_json(&o->created));
    json_object_set_new(out, "approved", time_json(o->approved.us));
    json_object_set_new(out, "approved_by", name_json(&o->approved));
    json_object_set_new(out, "ended", time_json(o->ended.us));
    json_object_set_new(out, "ended_by", name_json(&o->ended));
    json_object_set_new(out, "ended_why",
                        o->ended.us > 0 ? json_string(o->ended_why) : json_null());
    return out;
}
