/* All commands, in the order in which help shows them. */
#include "cli/command.h"

const struct command *const command_lists[] = {
    session_commands,
    namespaces_commands,
    members_commands,
    users_commands,
    robots_commands,
    deployers_commands,
    policy_commands,
    rules_commands,
    deploy_commands,
    decision_commands,
    audit_commands,
    deployment_commands,
    releases_commands,
    trust_commands,
    roots_commands,
    override_commands,
    deny_commands,
    images_commands,
    status_commands,
    completion_commands,
    NULL,
};
