#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Names out of a package stay data: no path leaves the folder, nothing reaches
# the terminal or a script as it is.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/e2e/make-ova.sh"
requires jq --version
requires qemu-img --version
workdir

head -c 1M /dev/urandom >1.raw
mkdir src
cd src
make_disk ../1.raw one.vmdk

n=0
for name in '../../../etc/x' '/etc/passwd' '..' '-rf' 'CON' '.hidden' \
        "x'; Remove-Item C:\\ -Recurse; '" '$(touch pwned)' \
        "$(printf 'a\342\200\231b')" 'ünïcödé ✓' "$(printf '%0300d' 7)"; do
    n=$((n + 1))
    rm -rf ../out
    make_ovf "$name" one.vmdk
    v2v convert m.ovf -o ../out >../log 2>&1 || fail "'$name': $(cat ../log)"
    [ "$(ls -A ../out | wc -l)" = 1 ] || fail "'$name': $(ls -A ../out)"
    folder=$(ls -A ../out)
    case $folder in
        *[!A-Za-z0-9._-]* | .* | -*) fail "'$name' became '$folder'" ;;
    esac
    [ ${#folder} -le 64 ] || fail "'$name': a long folder"
    [ -f "../out/$folder/New-$folder.ps1" ] || fail "'$name': $(ls ../out/"$folder")"
    grep -q "$(printf '\033')" ../log && fail "'$name': an escape code"
done
[ $n = 11 ] || fail "$n names"
[ ! -e pwned ] && [ ! -e ../pwned ] || fail "a name was run"

# References that lead out of the package.
for href in '../1.raw' '/etc/passwd' 'sub/one.vmdk' 'file:///etc/passwd'; do
    make_ovf web one.vmdk
    sed -i "s|ovf:href=\"one.vmdk\"|ovf:href=\"$href\"|" m.ovf
    rm -f m.mf
    rm -rf ../out
    status=0
    v2v convert m.ovf -o ../out >../log 2>&1 || status=$?
    [ $status -ge 2 ] && [ $status -le 7 ] || fail "$href: status $status"
    [ ! -e ../out ] || [ -z "$(ls -A ../out)" ] || fail "$href: something is left"
    [ "$(wc -l <../log)" -le 2 ] || fail "$href: $(cat ../log)"
done
# A link out.
make_ovf web one.vmdk
mv one.vmdk ../real.vmdk
ln -s ../real.vmdk one.vmdk
status=0
v2v convert m.ovf -o ../out >../log 2>&1 || status=$?
[ $status -ge 3 ] || fail "a link out of the package was followed"
