/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network map: which virtual switch (and VLAN) a network of the source
 * becomes.  Nobody but the user knows, so nothing is guessed: what the map
 * does not name stays disconnected.
 *
 * Two forms, told apart by the first character that is not blank.  Text, one
 * network a line:
 *
 *   # comment
 *   VM Network  = External            the VLAN of the source, if it is known
 *   DMZ         = External vlan 20    1..4094; 0 = untagged; 4095 = trunk
 *   "a = b"     = "Switch \"1\""      quotes where a name needs them
 *   Heartbeat   = -                   disconnected on purpose: no warning
 *   *           = Isolated            every other network
 *
 * or JSON:
 *
 *   { "VM Network": "External",
 *     "DMZ": { "switch": "External", "vlan": 20 },
 *     "Heartbeat": null, "*": "Isolated" }
 *
 * Names are compared exactly first, then without regard to ASCII case.
 */
#ifndef V2V_NETWORK_MAP_H
#define V2V_NETWORK_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "formats/core/error.h"

/* A map longer than this is refused: an estate has hundreds of networks. */
#define V2V_NETWORK_MAP_MAX_ENTRIES 10000
#define V2V_NETWORK_MAP_MAX_BYTES   (1024 * 1024)

#define V2V_VLAN_AS_SOURCE -1
#define V2V_VLAN_UNTAGGED  0
#define V2V_VLAN_MAX       4094
#define V2V_VLAN_TRUNK     4095 /* VMware's "all" */

struct v2v_network_map_entry {
  char *source;      /* name of the network, or "*" */
  char *switch_name; /* NULL: disconnected on purpose */
  int vlan;          /* V2V_VLAN_AS_SOURCE, 0, 1..4094, V2V_VLAN_TRUNK */
};

struct v2v_network_map;

/* An empty map. */
struct v2v_network_map *v2v_network_map_new (struct v2v_error **err);
/* Parse LEN bytes of either form; NAME is for messages.  A malformed line, a
 * network named twice or a VLAN out of range is refused (V2V_ERR_FORMAT) with
 * the number of the line.
 */
struct v2v_network_map *v2v_network_map_parse (const char *text, size_t len,
                                               const char *name,
                                               struct v2v_error **err);
/* Read and parse the file at PATH. */
struct v2v_network_map *v2v_network_map_load (const char *path,
                                              struct v2v_error **err);
/* Add one entry given on the command line, "SOURCE=SWITCH[ vlan N]"; it wins
 * over an entry of the same name.
 */
int v2v_network_map_add (struct v2v_network_map *map, const char *assignment,
                         struct v2v_error **err);
/* Network SOURCE is switch SWITCH_NAME, whatever characters are in them; wins
 * over an entry of the same name. */
int v2v_network_map_set (struct v2v_network_map *map, const char *source,
                         const char *switch_name, struct v2v_error **err);
void v2v_network_map_free (struct v2v_network_map *map); /* accepts NULL */

/* The entry for NETWORK, or that of "*", or NULL.  MAP and NETWORK may be
 * NULL.  Borrowed until the map changes.
 */
const struct v2v_network_map_entry *
v2v_network_map_lookup (const struct v2v_network_map *map, const char *network);

size_t v2v_network_map_length (const struct v2v_network_map *map);
const struct v2v_network_map_entry *
v2v_network_map_at (const struct v2v_network_map *map, size_t i);

#endif /* V2V_NETWORK_MAP_H */
