#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# VirtualBox's stream decodes to the stated hash of its 8 GiB.  Slow: make
# check-slow.
. "$abs_top_srcdir/tests/functions.sh"
requires_sample ovf/cot/ubuntu.2.0-disk1.vmdk
workdir

v2v copy --no-digest "$V2V_SAMPLES/ovf/cot/ubuntu.2.0-disk1.vmdk" d.raw
[ "$(sha256_of d.raw)" = \
  ebfb4ef19ae410f190327b5ebd312711263bc7579970e87d9c1e2d84e06b3c25 ] ||
    fail "other bytes"
