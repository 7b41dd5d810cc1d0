/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests with a network configuration, constructed. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net-tree.h"
#include "test-util.h"

struct v2v_machine *
net_tree_machine (size_t nr, const char *const macs[], const unsigned slots[])
{
  struct v2v_machine *m = v2v_machine_new (NULL);

  assert_non_null (m);
  for (size_t i = 0; i < nr; ++i) {
    struct v2v_nic *nic = v2v_machine_add_nic (m);

    assert_non_null (nic);
    assert_true (asprintf (&nic->id, "ethernet%zu", i) > 0);
    nic->mac = macs[i] ? strdup (macs[i]) : NULL;
    nic->pci_slot = slots ? slots[i] : 0;
  }
  return m;
}

void
net_tree_convert (struct net_tree *t)
{
  struct linux_guest l = { .g = t->g, .os = v2v_guest_os (t->g) };
  struct v2v_error *err = NULL;

  assert_ok (linux_keep_network (&l, &err), err);
  t->stale = l.initramfs_is_stale;
}

struct net_tree
net_tree_begin (const struct guest_tree_entry *tree, struct v2v_machine *m,
                bool new_macs)
{
  struct net_tree t = { .dir = guest_tree_make (tree), .m = m };
  struct v2v_guest_opts opts = { .new_macs = new_macs };

  t.g = guest_tree_open (t.dir, V2V_FAMILY_LINUX, "any", 1);
  v2v_guest_set_machine (t.g, m);
  v2v_guest_set_opts (t.g, &opts);
  net_tree_convert (&t);
  return t;
}

/* A second conversion must change nothing. */
void
net_tree_end (struct net_tree *t)
{
  const struct v2v_guest_opts opts = *v2v_guest_get_opts (t->g);

  v2v_guest_close (t->g);
  t->g = guest_tree_open (t->dir, V2V_FAMILY_LINUX, "any", 1);
  v2v_guest_set_machine (t->g, t->m);
  v2v_guest_set_opts (t->g, &opts);
  net_tree_convert (t);
  guest_tree_assert_unchanged (t->g);
  v2v_guest_close (t->g);
  v2v_machine_free (t->m);
  test_tmpdir_remove (t->dir);
}

const struct v2v_finding *
net_tree_finding (const struct net_tree *t, const char *id)
{
  return v2v_findings_find (v2v_guest_findings (t->g), id);
}

void
net_tree_no_findings (const struct net_tree *t)
{
  const struct v2v_findings *f = v2v_guest_findings (t->g);

  if (f->len > 0)
    fail_msg ("%s: %s", f->ptr[0].id, f->ptr[0].message);
}

struct v2v_machine *
net_tree_one (void)
{
  return net_tree_machine (1, (const char *const[]){ M1 }, NULL);
}

struct v2v_machine *
net_tree_two (void)
{
  return net_tree_machine (2, (const char *const[]){ M1, M2 }, NULL);
}
