#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real parser of PowerShell finds the same commands in the scripts of hostile
# machines as in those of a plain one, and no syntax error; the descriptions
# fit the JSON schema.  Needs npm and its registry; CI requires them.
. "$abs_top_srcdir/tests/functions.sh"
mk="$abs_top_builddir/tests/gen/mkscripts"
[ -x "$mk" ] || fail "tests/gen/mkscripts is not built"

skip_npm () {
    [ "$V2V_NPM_REQUIRED" != 1 ] || fail "$1"
    echo "SKIP: $1" >&2
    exit 77
}
node --version >/dev/null 2>&1 || skip_npm "node is missing"

# tree-sitter as WebAssembly: nothing to compile, no install script to trust.
# Kept between runs; the folder's number goes with the versions.
modules="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/v2v-tests/node-1"
packages="web-tree-sitter@0.26.3 tree-sitter-powershell@0.26.4 ajv@8.17.1"
mkdir -p "$modules" 2>/dev/null || skip_npm "no folder for npm's packages"
(
    flock 9 # two builds may be tested at once
    [ ! -e "$modules/complete" ] || exit 0
    cd "$modules"
    echo '{"private":true}' > package.json
    # shellcheck disable=SC2086  # a list of words
    timeout 240 npm install --no-audit --no-fund --ignore-scripts \
        --legacy-peer-deps $packages >npm.log 2>&1 || { cat npm.log >&2; exit 1; }
    touch complete
) 9>"$modules/lock" || skip_npm "npm install fails"
tools="$abs_top_srcdir/tests/e2e"
# Without these V8 spends a minute on optimizing the parser, at exit.
v8=(--no-wasm-tier-up --no-wasm-dynamic-tiering)
workdir

hostile=(
    "x'; Remove-Item C:\\ -Recurse; '"
    "x''; Remove-Item C:\\; ''"
    '"; Remove-Item C:\; "'
    '$(Remove-Item C:\)'
    '`$(Remove-Item)`'
    '\nRemove-Item C:\\\n'
    "'@\\r\\nRemove-Item C:\\\\r\\n@'"
    '#> Remove-Item <#'
    '\xe2\x80\x98; Remove-Item; \xe2\x80\x98'
    '\xe2\x80\x9b; Remove-Item; \xe2\x80\x9b'
    '\xe2\x80\xa8Remove-Item\xe2\x80\xa9'
    '\xe2\x80\xaeRemove-Item'
    '\xff\xc0\xa7 Remove-Item'
    '} ) ] Remove-Item ; & {'
    "$(printf "%0300d" 0 | tr 0 "'")"
    'CON'
    '..\..\x'
)
for firmware in bios efi; do
    mkdir -p $firmware/plain
    "$mk" $firmware/plain $firmware plain
    for n in "${!hostile[@]}"; do
        mkdir $firmware/$n
        "$mk" $firmware/$n $firmware "${hostile[$n]}"
    done
done
node "${v8[@]}" "$tools/list-commands.mjs" "$modules" */*/*.ps1 || fail "syntax errors"
node "$tools/validate.mjs" "$modules" \
    "$abs_top_srcdir/formats/v2v-machine.schema.json" */*/machine.json ||
    fail "a machine.json does not fit its schema"

for firmware in bios efi; do
    for kind in new scvmm; do
        plain=$firmware/plain/$kind
        [ "$(wc -l < $plain.ps1.parsed)" -gt 30 ] || fail "few commands in $plain.ps1"
        # Our own tokenizer agrees with the real parser.
        diff $plain.ps1.parsed $plain.commands ||
            fail "our tokenizer and the parser differ on $plain.ps1"
        for n in "${!hostile[@]}"; do
            cmp $plain.ps1.parsed $firmware/$n/$kind.ps1.parsed ||
                fail "$kind.ps1 has other commands for: ${hostile[$n]}"
            cmp $plain.commands $firmware/$n/$kind.commands ||
                fail "our tokenizer finds other commands for: ${hostile[$n]}"
        done
    done
done

# The scripts for hosts, which nothing of a machine goes into.
mkdir hosts
cp "$abs_top_srcdir"/library/host-*.ps1 hosts/
node "${v8[@]}" "$tools/list-commands.mjs" "$modules" hosts/*.ps1 || fail "host scripts"
for c in Get-VM Start-VM Stop-VM Remove-VM; do
    for s in hosts/*.parsed; do grep -qF 'Hyper-V\'"$c" "$s" || fail "$s has no $c"; done
done
! cat hosts/*.parsed | grep -qiE 'invoke-expression|^iex$' || fail "a host script makes code"

# The judge can say no: a script with one command more is noticed.
mkdir broken
sed "s/^\$data = @{/Remove-Item 'x'\r\n&/" bios/plain/new.ps1 > broken/more.ps1
node "${v8[@]}" "$tools/list-commands.mjs" "$modules" broken/more.ps1
if cmp -s broken/more.ps1.parsed bios/plain/new.ps1.parsed; then
    fail "the parser did not see a command that was added"
fi
sed 's/^\$data = @{/$data = @{ {/' bios/plain/new.ps1 > broken/syntax.ps1
if node "${v8[@]}" "$tools/list-commands.mjs" "$modules" broken/syntax.ps1 2>/dev/null; then
    fail "the parser did not see a syntax error"
fi
