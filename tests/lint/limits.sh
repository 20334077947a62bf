#!/bin/bash
# docs/limits.md names every setting of the section limits with its default, and the fixed limits as they are in the code.
. "$(dirname "$0")/common.bash"

page=docs/limits.md

settings() {
    sed -n 's/^ *X(limits, \([a-z_]*\), [A-Z]*, "\([^"]*\)".*/\1 \2/p' server/settings_table.h
}

# constant, its file, the row of the page that gives it
fixed() {
    cat <<'TABLE'
MANIFEST_DESCRIPTORS_MAX storage/manifest_doc.h that a manifest names
JSON_DEPTH_DEFAULT base/json.h levels of JSON in a manifest
TAG_PARAMETERS_MAX server/api_manifest.c `tag` parameters
REPO_NAME_MAX base/name.h a repository's name
NAMESPACE_NAME_MAX base/name.c a namespace's name
TAG_NAME_MAX base/name.h characters of a tag
PAGE_MAX server/registry.h a page of a list
TAG_RULES_MAX storage/tag_rule.h [tag rules]
TAG_RULE_NEWEST_MAX storage/tag_rule.h of a tag rule
REQUEST_TARGET_MAX server/request_gate.h bytes of an address
REQUEST_HEADERS_MAX server/request_gate.h header lines
TABLE
}

{
    settings | while read -r key value; do
        grep -F "\`limits.$key\` |" "$page" | grep -qF "| $value" ||
            echo "$page:1: the default of limits.$key is $value, and no row says so"
    done
    fixed | while read -r name file row; do
        value=$(sed -n "s/^#define $name \([0-9]*\).*/\1/p" "$file")
        [ -n "$value" ] || { echo "$file:1: $name is not there"; continue; }
        tr -d , <$page | grep -F "$row" | grep -qF "| $value |" ||
            echo "$page:1: $name of $file is $value, and the row \"$row\" does not say so"
    done
} | verdict
