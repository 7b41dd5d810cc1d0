/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modules.dep.bin: what modprobe and udev look modules up in; they do not read
 * modules.dep.
 *
 * A trie.  After a magic number, a version and the root's offset come nodes,
 * children before parents:
 *   prefix    characters that all keys below share, and a NUL (if any)
 *   first, last, offset[last - first + 1]     (if there are children)
 *   count, then count times: priority, value and a NUL   (if a key ends here)
 * Numbers have 32 bits, most significant byte first; the top bits of an offset
 * say which parts the node has.  Source: the description at the head of
 * libkmod/libkmod-index.h and depmod's output; checked by modprobe in the
 * tests.
 */

#include <config.h>

#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/linux-initramfs.h"

#define INDEX_MAGIC   0xb007f457u
#define INDEX_VERSION 0x00020001u

#define NODE_PREFIX 0x80000000u
#define NODE_VALUES 0x40000000u
#define NODE_CHILDS 0x20000000u

/* Keys are names of modules: a path component. */
#define MAX_KEY 255

static int
compare_entries (const void *a, const void *b)
{
  return strcmp (((const struct kmod_entry *) a)->key,
                 ((const struct kmod_entry *) b)->key);
}

static int
put_u32 (struct v2v_str *out, uint32_t v)
{
  uint8_t bytes[4];

  v2v_put_be32 (bytes, v);
  return v2v_str_append_len (out, bytes, sizeof bytes);
}

/* How many characters behind DEPTH all of the sorted keys share. */
static size_t
shared_prefix (const struct kmod_entry *e, size_t n, size_t depth)
{
  const char *a = e[0].key + depth, *b = e[n - 1].key + depth;
  size_t len = 0;

  while (a[len] != '\0' && a[len] == b[len])
    ++len;
  return len;
}

static int
put_values (struct v2v_str *out, const struct kmod_entry *e, size_t n)
{
  if (put_u32 (out, (uint32_t) n) == -1)
    return -1;
  for (size_t i = 0; i < n; ++i)
    if (put_u32 (out, (uint32_t) i) == -1 ||
        v2v_str_append_len (out, e[i].value, strlen (e[i].value) + 1) == -1)
      return -1;
  return 0;
}

/* Write the node of the N keys, equal up to DEPTH; *RET is its offset.  Depth
 * of recursion: MAX_KEY. */
static int
put_node (struct v2v_str *out, const struct kmod_entry *e, size_t n,
          size_t depth, uint32_t *ret)
{
  const size_t shared = shared_prefix (e, n, depth);
  const char *prefix = e[0].key + depth;
  uint32_t child[128] = { 0 };
  size_t ending = 0; /* keys that end here come first */
  uint8_t first = 0, last = 0;
  uint32_t flags = 0;

  depth += shared;
  while (ending < n && e[ending].key[depth] == '\0')
    ++ending;
  for (size_t i = ending; i < n;) {
    const uint8_t c = (uint8_t) e[i].key[depth] & 0x7f;
    size_t end = i + 1;

    while (end < n && e[end].key[depth] == e[i].key[depth])
      ++end;
    if (put_node (out, e + i, end - i, depth + 1, &child[c]) == -1)
      return -1;
    if (first == 0)
      first = c;
    last = c;
    i = end;
  }
  *ret = (uint32_t) out->len;
  if (shared > 0) {
    flags |= NODE_PREFIX;
    if (v2v_str_append_len (out, prefix, shared) == -1 ||
        v2v_str_append_len (out, "", 1) == -1)
      return -1;
  }
  if (last != 0) {
    flags |= NODE_CHILDS;
    if (v2v_str_append_len (out, &first, 1) == -1 ||
        v2v_str_append_len (out, &last, 1) == -1)
      return -1;
    for (unsigned c = first; c <= last; ++c)
      if (put_u32 (out, child[c]) == -1)
        return -1;
  }
  if (ending > 0) {
    flags |= NODE_VALUES;
    if (put_values (out, e, ending) == -1)
      return -1;
  }
  *ret |= flags;
  return 0;
}

int
kmod_index_write (struct kmod_entry *entries, size_t n, struct v2v_str *out,
                  struct v2v_error **err)
{
  const size_t begin = out->len;
  uint32_t root = 0;

  for (size_t i = 0; i < n; ++i)
    for (const char *p = entries[i].key; *p != '\0'; ++p)
      if ((*p & 0x80) || p - entries[i].key >= MAX_KEY)
        return v2v_fail (err, V2V_ERR_GUEST,
                         "a module's name that libkmod cannot look up");
  if (put_u32 (out, INDEX_MAGIC) == -1 || put_u32 (out, INDEX_VERSION) == -1 ||
      put_u32 (out, 0) == -1)
    return v2v_fail_nomem (err);
  if (n > 0) {
    CLEANUP_STR struct v2v_str body = V2V_STR_INIT;

    /* Offsets count from the file's start: the nodes are written behind a copy
     * of the head. */
    qsort (entries, n, sizeof *entries, compare_entries);
    if (v2v_str_append_len (&body, out->ptr + begin, 12) == -1 ||
        put_node (&body, entries, n, 0, &root) == -1 ||
        v2v_str_append_len (out, body.ptr + 12, body.len - 12) == -1)
      return v2v_fail_nomem (err);
  }
  v2v_put_be32 (out->ptr + begin + 8, root);
  return 0;
}
