/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* netplan's YAML, read with libyaml; an edit replaces the bytes between two
 * marks of the parser, so that the rest of a file stays as it was.
 *
 * A document is loaded only up to bounds: libyaml itself bounds nesting, but
 * not aliases; those are followed here once each.
 *
 * Source: netplan(5), "Device configuration IDs" and "Properties for physical
 * device types".
 */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "formats/core/cleanup.h"
#include "inject/linux-net.h"

static const char *const folders[] = { "/lib/netplan", "/usr/lib/netplan",
                                       "/etc/netplan" };

/* Configurations are some hundred lines; libyaml takes many times the size of
 * the text in memory. */
#define MAX_YAML_BYTES (256u << 10)
/* "match" lies four deep. */
#define MAX_NODES 20000

/* A replacement of text[from..to). */
struct edit {
  size_t from, to;
  size_t value; /* where the value begins */
  char text[64];
};
#define MAX_EDITS 64

struct plan {
  struct linux_net *n;
  const char *path;
  yaml_document_t doc;
  bool read; /* add configurations; else collect edits */
  struct edit edits[MAX_EDITS];
  size_t nr_edits;
};

static const char *
scalar (const yaml_node_t *node, size_t *ret_len)
{
  if (node == NULL || node->type != YAML_SCALAR_NODE)
    return NULL;
  *ret_len = node->data.scalar.length;
  return (const char *) node->data.scalar.value;
}

/* The value of KEY in MAP, or NULL. */
static yaml_node_t *
get (struct plan *p, const yaml_node_t *map, const char *key)
{
  if (map == NULL || map->type != YAML_MAPPING_NODE)
    return NULL;
  for (const yaml_node_pair_t *i = map->data.mapping.pairs.start;
       i < map->data.mapping.pairs.top; ++i) {
    size_t len;
    const char *s = scalar (yaml_document_get_node (&p->doc, i->key), &len);

    if (s != NULL && len == strlen (key) && memcmp (s, key, len) == 0)
      return yaml_document_get_node (&p->doc, i->value);
  }
  return NULL;
}

static bool
is_true (const yaml_node_t *node)
{
  size_t len;
  const char *s = scalar (node, &len);

  return s != NULL && len > 0 && strchr ("tTyYoO1", *s) != NULL &&
         (len < 2 || (s[1] != 'f' && s[1] != 'F'));
}

/* Scalars of a sequence, or one scalar. */
static int
add_words (struct plan *p, const yaml_node_t *node, struct v2v_str *list)
{
  size_t len;
  const char *s = scalar (node, &len);

  if (s != NULL)
    return net_add_word (list, s, len);
  if (node == NULL || node->type != YAML_SEQUENCE_NODE)
    return 0;
  for (const yaml_node_item_t *i = node->data.sequence.items.start;
       i < node->data.sequence.items.top; ++i) {
    const yaml_node_t *item = yaml_document_get_node (&p->doc, *i);

    /* "- 192.0.2.5/24: {label: x}", "- to: default\n  via: 192.0.2.1" */
    if (item != NULL && item->type == YAML_MAPPING_NODE) {
      const yaml_node_pair_t *first = item->data.mapping.pairs.start;
      const yaml_node_t *via = get (p, item, "via");

      if (via != NULL)
        item = via;
      else if (first < item->data.mapping.pairs.top)
        item = yaml_document_get_node (&p->doc, first->key);
    }
    s = scalar (item, &len);
    if (s != NULL && net_add_word (list, s, len) == -1)
      return -1;
  }
  return 0;
}

static int
read_device (struct plan *p, const yaml_node_t *id, const yaml_node_t *dev,
             bool is_virtual, struct v2v_error **err)
{
  struct net_config *c = net_add_config (p->n, "netplan", p->path);
  yaml_node_t *match = get (p, dev, "match");
  const char *s;
  size_t len;

  if (c == NULL)
    return p->n->nr_configs == NET_MAX_CONFIGS ? 0 : v2v_fail_nomem (err);
  c->is_virtual = is_virtual;
  if ((s = scalar (get (p, dev, "set-name"), &len)) != NULL)
    net_set_name (c, s, len);
  else if ((s = scalar (get (p, match, "name"), &len)) != NULL)
    net_set_name (c, s, len);
  else if (match == NULL && (s = scalar (id, &len)) != NULL)
    net_set_name (c, s, len);
  if ((s = scalar (get (p, match, "macaddress"), &len)) != NULL)
    net_set_mac (c, s, len);
  c->is_dhcp =
      is_true (get (p, dev, "dhcp4")) || is_true (get (p, dev, "dhcp6"));
  if (add_words (p, get (p, dev, "addresses"), &c->addresses) == -1 ||
      add_words (p, get (p, dev, "gateway4"), &c->routes) == -1 ||
      add_words (p, get (p, dev, "gateway6"), &c->routes) == -1 ||
      add_words (p, get (p, dev, "routes"), &c->routes) == -1 ||
      add_words (p, get (p, get (p, dev, "nameservers"), "addresses"),
                 &c->dns) == -1 ||
      add_words (p, get (p, dev, "mtu"), &c->mtu) == -1)
    return v2v_fail_nomem (err);
  if (!is_virtual &&
      net_add_answer (p->n, NET_RANK_CONFIG, c->name, c->mac, p->path) == -1)
    return v2v_fail_nomem (err);
  return 0;
}

/* Replace the value NODE (and, with KEY, from its key on) by TEXT. */
static void
add_edit (struct plan *p, const yaml_node_t *key, const yaml_node_t *node,
          const char *text)
{
  struct edit *e = &p->edits[p->nr_edits];

  if (p->nr_edits == MAX_EDITS)
    return;
  e->from = (key ? key : node)->start_mark.index;
  e->to = node->end_mark.index;
  e->value = node->start_mark.index;
  snprintf (e->text, sizeof e->text, "%s", text);
  ++p->nr_edits;
}

static void
loosen_driver (struct plan *p, const yaml_node_t *driver)
{
  size_t len;
  const char *s = scalar (driver, &len);

  if (s != NULL && net_is_old_driver (s, len))
    add_edit (p, NULL, driver, "hv_netvsc");
  if (driver == NULL || driver->type != YAML_SEQUENCE_NODE)
    return;
  /* A list of names only: an alias could lead back here. */
  for (const yaml_node_item_t *i = driver->data.sequence.items.start;
       i < driver->data.sequence.items.top; ++i) {
    const yaml_node_t *item = yaml_document_get_node (&p->doc, *i);

    s = scalar (item, &len);
    if (s != NULL && net_is_old_driver (s, len))
      add_edit (p, NULL, item, "hv_netvsc");
  }
}

static void
loosen_device (struct plan *p, const yaml_node_t *dev)
{
  yaml_node_t *match = get (p, dev, "match");

  if (match == NULL || match->type != YAML_MAPPING_NODE)
    return;
  for (const yaml_node_pair_t *i = match->data.mapping.pairs.start;
       i < match->data.mapping.pairs.top; ++i) {
    yaml_node_t *key = yaml_document_get_node (&p->doc, i->key);
    yaml_node_t *value = yaml_document_get_node (&p->doc, i->value);
    size_t len = 0, value_len = 0;
    const char *k = scalar (key, &len), *v = scalar (value, &value_len);
    char mac[NET_MAC_SIZE];

    if (k == NULL)
      continue;
    if (len == 6 && memcmp (k, "driver", len) == 0)
      loosen_driver (p, value);
    /* Several adapters: nothing else tells them apart, see the finding. */
    else if (len == 10 && memcmp (k, "macaddress", len) == 0 && v != NULL &&
             p->n->new_macs && p->n->is_only &&
             net_parse_mac (v, value_len, mac) && net_is_ours (p->n, mac))
      add_edit (p, key, value,
                get (p, match, "driver") == NULL ? "driver: hv_netvsc"
                                                 : "name: \"*\"");
  }
}

static int
walk (struct plan *p, struct v2v_error **err)
{
  static const char *const groups[] = { "ethernets",    "bonds",   "bridges",
                                        "vlans",        "tunnels", "vrfs",
                                        "dummy-devices" };
  const yaml_node_t *network =
      get (p, yaml_document_get_root_node (&p->doc), "network");

  for (size_t i = 0; i < V2V_ARRAY_SIZE (groups); ++i) {
    const yaml_node_t *map = get (p, network, groups[i]);

    if (map == NULL || map->type != YAML_MAPPING_NODE)
      continue;
    for (const yaml_node_pair_t *j = map->data.mapping.pairs.start;
         j < map->data.mapping.pairs.top; ++j) {
      const yaml_node_t *id = yaml_document_get_node (&p->doc, j->key);
      const yaml_node_t *dev = yaml_document_get_node (&p->doc, j->value);

      if (!p->read)
        loosen_device (p, dev);
      else if (read_device (p, id, dev, i > 0, err) == -1)
        return -1;
    }
  }
  return 0;
}

/* libyaml counts characters, we bytes. */
static size_t
byte_of (const char *text, size_t chars)
{
  const char *p = text;

  while (chars > 0 && *p != '\0') {
    ++p;
    while ((*p & 0xc0) == 0x80)
      ++p;
    --chars;
  }
  return (size_t) (p - text);
}

static int
compare_edits (const void *a, const void *b)
{
  const struct edit *x = a, *y = b;

  return x->from < y->from ? -1 : x->from > y->from;
}

static int
apply (struct plan *p, const char *text, struct v2v_error **err)
{
  CLEANUP_STR struct v2v_str out = V2V_STR_INIT;
  size_t at = 0;
  /* A byte order mark is no character of libyaml's. */
  const size_t bom = strncmp (text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

  if (p->nr_edits == 0)
    return 0;
  qsort (p->edits, p->nr_edits, sizeof *p->edits, compare_edits);
  for (size_t i = 0; i < p->nr_edits; ++i) {
    const size_t from = bom + byte_of (text + bom, p->edits[i].from);
    const size_t to = bom + byte_of (text + bom, p->edits[i].to);

    const size_t value = bom + byte_of (text + bom, p->edits[i].value);

    if (from < at) /* an alias leads here a second time */
      continue;
    /* An anchor or a tag: an alias elsewhere needs it. */
    if (strchr ("&!", text[from]) != NULL || strchr ("&!", text[value])) {
      if (linux_finding (p->n->l, V2V_WARNING, "guest.network.bus-bound",
                         p->path, "match the adapter by its address there", err,
                         "an adapter is chosen by VMware's driver or address, "
                         "in a value with an anchor or a tag that was not "
                         "changed") == -1)
        return -1;
      continue;
    }
    if (v2v_str_append_len (&out, text + at, from - at) == -1 ||
        v2v_str_append (&out, p->edits[i].text) == -1)
      return v2v_fail_nomem (err);
    at = to;
  }
  if (at == 0)
    return 0;
  if (v2v_str_append (&out, text + at) == -1)
    return v2v_fail_nomem (err);
  return v2v_guest_write_text (p->n->l->g, p->path, out.ptr, 0,
                               "the adapter has another driver", err) == -1
             ? -1
             : 0;
}

static int
bad_yaml (struct plan *p, const char *problem, struct v2v_error **err)
{
  return linux_finding (p->n->l, V2V_WARNING, "guest.file.unreadable", p->path,
                        "look at the file by hand once the guest has started",
                        err, "the YAML cannot be read: %s",
                        problem != NULL ? problem : "unknown reason");
}

/* Read or loosen one file. */
static int
do_file (struct linux_net *n, const char *path, bool read,
         struct v2v_error **err)
{
  struct plan p = { .n = n, .path = path, .read = read };
  struct v2v_error *e = NULL;
  CLEANUP_FREE char *text = v2v_guest_read_text (n->l->g, path, &e);
  yaml_parser_t parser;
  int r;

  if (e != NULL)
    return linux_tolerate (n->l, path, e, err);
  if (text == NULL)
    return 0;
  if (strlen (text) > MAX_YAML_BYTES)
    return read ? bad_yaml (&p, "it has more than 256 KiB", err) : 0;
  if (!yaml_parser_initialize (&parser))
    return v2v_fail_nomem (err);
  yaml_parser_set_encoding (&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string (&parser, (const unsigned char *) text,
                                strlen (text));
  if (!yaml_parser_load (&parser, &p.doc)) {
    r = parser.error == YAML_MEMORY_ERROR ? v2v_fail_nomem (err)
        : read                            ? bad_yaml (&p, parser.problem, err)
                                          : 0;
    yaml_parser_delete (&parser);
    return r;
  }
  r = 0;
  if (p.doc.nodes.top - p.doc.nodes.start <= MAX_NODES)
    r = walk (&p, err);
  if (r == 0 && !read)
    r = apply (&p, text, err);
  yaml_document_delete (&p.doc);
  yaml_parser_delete (&parser);
  return r;
}

static int
do_all (struct linux_net *n, bool read, struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (folders); ++i) {
    CLEANUP_LIST char **files =
        v2v_guest_glob (n->l->g, folders[i], "*.yaml", err);

    if (files == NULL)
      return -1;
    for (size_t j = 0; files[j] != NULL; ++j)
      if (v2v_guest_is_file (n->l->g, files[j]) &&
          do_file (n, files[j], read, err) == -1)
        return -1;
  }
  return 0;
}

int
net_read_netplan (struct linux_net *n, struct v2v_error **err)
{
  return do_all (n, true, err);
}

int
net_loosen_netplan (struct linux_net *n, struct v2v_error **err)
{
  return do_all (n, false, err);
}
