#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every real disk image among the samples decodes to the hash that its README
# states (taken by other programs), or is refused with its stated reason; and
# no sample is written to.
. "$abs_top_srcdir/tests/functions.sh"
requires_sample README.md
requires bzip2 --version
requires gzip --version
requires openssl version
S=$V2V_SAMPLES
before=$(cd "$S" && find . -type f -printf '%P %s %T@\n' | sort | sha256sum)
workdir

raw_sha () { openssl dgst -sha256 -r "$1" | cut -d' ' -f1; }

# unpack SAMPLE: path of the image, unpacked where it is compressed
unpack () {
    local to
    to=$(basename "$1"); to=${to%.gz}; to=${to%.bz2}
    case $1 in
        *.gz) gzip -dc "$S/$1" >"$to"; echo "$to" ;;
        *.bz2) bzip2 -dc "$S/$1" >"$to"; echo "$to" ;;
        *) echo "$S/$1" ;;
    esac
}

# decodes SAMPLE SIZE SHA256
decodes () {
    local img got size
    img=$(unpack "$1")
    v2v copy "$img" out.raw -O raw --no-digest ||
        fail "$1: not converted"
    size=$(stat -c %s out.raw)
    [ "$size" = "$2" ] || fail "$1: size $size, expected $2"
    got=$(raw_sha out.raw)
    [ "$got" = "$3" ] || fail "$1: $got, expected $3"
    rm -f out.raw
    case $img in "$S"/*) ;; *) rm -f "$img" ;; esac
    echo "ok $1"
}

# decodes_big SAMPLE SIZE SHA256: disks of many GiB of holes.  The unit tests
# take their hash from our reader; here they go through our writer, and with
# V2V_SLOW=1 the hash is taken of the raw file by openssl.
decodes_big () {
    local img got
    img=$(unpack "$1")
    v2v copy "$img" out.vhdx --no-digest >/dev/null || fail "$1: not converted"
    v2v compare "$img" out.vhdx >/dev/null || fail "$1: our VHDX differs"
    v2v copy out.vhdx out.raw -O raw --no-digest >/dev/null ||
        fail "$1: not read back"
    got=$(stat -c %s out.raw)
    [ "$got" = "$2" ] || fail "$1: size $got, expected $2"
    if [ "${V2V_SLOW:-0}" = 1 ]; then
        got=$(raw_sha out.raw)
        [ "$got" = "$3" ] || fail "$1: $got, expected $3"
    fi
    rm -f out.raw out.vhdx
    case $img in "$S"/*) ;; *) rm -f "$img" ;; esac
    echo "ok $1"
}

c=a3bcf05f07a1c06a3380eeca8571f0efb2b85afafa1e21662b8cad436d1f7727
decodes vmdk/monolithicSparse.vmdk 10485760 $c
decodes vmdk/twoGbMaxExtentSparse.vmdk 10485760 $c
decodes vmdk/streamOptimized.vmdk 10485760 $c
decodes vmdk/vmfs_thick.vmdk 2097152 8d43c795d24bce01b49f92744f934c1072210dcac170bb1c83a5aa56df46ab7d
decodes vmdk/ext2.vmdk 4194304 a6c2f0e39afe6c6ab432ca5465349fcefe8dc944398e97b2d957d3f89dbb5d80
decodes ovf/proxmox/Win10-Liz-disk1.vmdk 2048 e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad
decodes vhd/dynamic.vhd.gz 10485760 ecff2ef6615a3cddc6a6885f1c6d9cf13a232697e1dc6575f2c2f01f57247784
decodes vhd/ext2.vhd 4212736 870be7ae16c1fa8faab05c6eb9205dc9a7ae35c5f552c5cf8a267c0bc6a5cb99
decodes vhdx/dynamic.vhdx.gz 10485760 8e2b5e9265d694b42b81819e3bff29770eff4ed0f4f9f311693ff3dbdc93efac
decodes vhdx/iotest-dynamic-1G.vhdx.bz2 1073741824 d3d112d8dab7fd360609f7d5a7b769904b7a2a7d7b6b8c535f65a23293c05478
decodes vhdx/btrfs.vhdx.gz 1073741824 0b959f9cb4e18348ad8b646f152178282542c8304f02fddf765e3fd1a1de6864

decodes_big ovf/cot/ubuntu.2.0-disk1.vmdk 8589934592 ebfb4ef19ae410f190327b5ebd312711263bc7579970e87d9c1e2d84e06b3c25
decodes_big vhdx/xfs5.vhdx.gz 10737418240 edc5d630b2da0ddb08992afb58ded06ffb56b884e184b4974fda16e31b7e6817
decodes_big vhdx/iotest-dirtylog-10G-4M.vhdx.bz2 10737418240 179cefe8b0587f123393eedf2aa7aa8d25798591178e6bc3950a09762f38f96f

# An empty disk of 127 GiB whose readers disagree on its size: ours goes by
# the current size, and there is no data in it.
img=$(unpack vhd/virtualpc-dynamic.vhd.bz2)
v2v info --json "$img" >info.json
grep -q 136365211648 info.json || fail "virtualpc-dynamic: not 136365211648 bytes"
v2v map --json "$img" >map.json
! grep -q '"data"' map.json || fail "virtualpc-dynamic: has data"
echo "ok vhd/virtualpc-dynamic.vhd.bz2"

# Refused, at once, with one sentence and nothing left behind.
img=$(unpack vmdk/afl9.vmdk.bz2)
expect_status 3 timeout 10 v2v copy "$img" bad.raw -O raw
[ "$(printf '%s\n' "$out" | wc -l)" -le 2 ] || fail "afl9: more than a sentence: $out"
[ -z "$(ls bad.raw* 2>/dev/null)" ] || fail "afl9: left $(ls bad.raw*)"

expect_status 5 v2v copy "$S/vhd/fat-differential.vhd" bad.raw -O raw
case $out in *fat-parent.vhd*) ;; *) fail "fat-differential: parent not named: $out" ;; esac
[ -z "$(ls bad.raw* 2>/dev/null)" ] || fail "fat-differential: left $(ls bad.raw*)"

after=$(cd "$S" && find . -type f -printf '%P %s %T@\n' | sort | sha256sum)
[ "$before" = "$after" ] || fail "a sample was changed"
