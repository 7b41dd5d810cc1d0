#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion, sourced and asked like bash asks it.
. "$abs_top_srcdir/tests/functions.sh"
workdir
set +e

# shellcheck disable=SC1090
source <(v2v completion bash)
complete -p v2v >/dev/null 2>&1 || fail "nothing is registered for v2v"
compopt () { :; } # outside of a completion the builtin complains

ask () { # WORD...: the last one is being typed; answers in $answer
    COMP_WORDS=(v2v "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _v2v
    answer=" ${COMPREPLY[*]} "
}
has () { [[ $answer == *" $1 "* ]] || fail "'$1' is not in '$answer' ($2)"; }
lacks () { [[ $answer != *" $1 "* ]] || fail "'$1' is in '$answer' ($2)"; }

touch disk.vmdk other.vhdx
ask co
has copy "commands"; has convert "commands"; has compare "commands"
lacks info "commands"
ask --
has --version "own options"
ask copy --par
has --parent= "options"; has --parent-path= "options"
lacks --json "options"
ask copy --js
has --json "options"
ask copy -O v
has vhdx "formats"; has vhd "formats"
ask copy --subformat f
has fixed "values"
ask copy --subformat=f
has fixed "values after ="
ask copy disk
has disk.vmdk "files"
ask info oth
has other.vhdx "files"
ask copy --progress ""
has json "values"
ask completion ""
has bash "shells"

# Every option of every command is offered, and every verb.
for c in $(v2v --commands); do
    verbs=$(v2v "$c" --verbs 2>/dev/null)
    if [ -z "$verbs" ]; then
        ask "$c" --
        for o in $(v2v "$c" --long-options); do has "$o" "$c"; done
        continue
    fi
    ask "$c" ""
    for v in $verbs; do has "$v" "$c"; done
    for v in $verbs; do
        ask "$c" "$v" --
        for o in $(v2v "$c" "$v" --long-options); do has "$o" "$c $v"; done
    done
done
expect_status 2 v2v completion tcsh
