/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared between mkvmdk.c and mkvmdk-esx.c. */
#ifndef MKVMDK_H
#define MKVMDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR 512u

struct bytes {
  uint8_t *p;
  size_t len;
};

/* A disk as grains. */
enum state { ABSENT, ZERO, DATA };
struct disk {
  struct bytes raw;  /* rounded up to a grain behind LEN */
  struct bytes base; /* empty unless --base */
  size_t grain;      /* bytes */
  size_t nr;
};

bool damage (const char *name);
void *checked (void *p);
/* LEN zero bytes at the end; returns where they begin. */
size_t grow (struct bytes *b, size_t len);
void pad_to (struct bytes *b, size_t unit);
void put (struct bytes *b, size_t at, uint64_t v, unsigned size);
uint64_t ceil_div (uint64_t a, uint64_t b);
enum state state_of (const struct disk *d, size_t i);
/* The order in which grains are written. */
size_t nth (const struct disk *d, size_t i);
/* The entry of a grain at byte AT, or a wrong one for the FIRST. */
uint32_t entry_of (size_t at, bool first, size_t file_sectors);

struct bytes make_cowd (const struct disk *d);
struct bytes make_sesparse (const struct disk *d);

#endif /* MKVMDK_H */
