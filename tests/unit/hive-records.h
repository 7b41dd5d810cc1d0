/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hive with one record of each kind, made by code, for tests and for
 * fuzz-hives: what is damaged in it is known by name.
 *
 *   \                       class name; first security record
 *   \Leaf, \Leaf\A          a list 'li'
 *   \Lists, \Lists\A B C    a list 'ri' of a list 'lf' and a list 'lh'
 *   \Values                 Big (big data), Empty (no bytes), None (no bytes,
 *                           no cell), Number (in its record), Text
 *
 * It includes nothing of cmocka.
 */
#ifndef HIVE_RECORDS_H
#define HIVE_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#define HIVE_RECORDS_BINS  32768u
#define HIVE_RECORDS_BYTES (4096u + HIVE_RECORDS_BINS)
/* Of the value "Big": two pieces. */
#define HIVE_RECORDS_BIG 20000u

/* Offsets of records behind the size of their cells, in the file. */
struct hive_records {
  size_t root, class_name, root_list;
  size_t leaf_key, leaf_list, leaf_child;
  size_t lists_key, lists, lists_first, lists_second, lists_child[3];
  size_t values_key, values;
  size_t big, empty, none, number, text;
  size_t big_data, big_list, big_piece[2], text_data;
  size_t security[2];
  size_t unused; /* the cell that is not in use */
};

/* BUF has HIVE_RECORDS_BYTES. */
void hive_records_build (uint8_t *buf, struct hive_records *ret);
/* Make the checksum of the header right again. */
void hive_records_seal (uint8_t *buf);

#endif /* HIVE_RECORDS_H */
