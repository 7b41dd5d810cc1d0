/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD structures from and to bytes: reading and writing mirror each other
 * field by field.  Nothing is judged here; see vhd.c and vhd-check.c.
 */

#include <config.h>

#include <string.h>

#include "formats/vhd-format.h"

#define FOOTER_CHECKSUM_OFF 64
#define HEADER_CHECKSUM_OFF 36
#define LOCATORS_OFF        576
#define LOCATOR_SIZE        24

/* The one's complement of the sum of all bytes, the field itself as zero. */
static uint32_t
checksum (const uint8_t *p, size_t len, size_t field)
{
  uint32_t sum = 0;

  for (size_t i = 0; i < len; ++i)
    if (i < field || i >= field + 4)
      sum += p[i];
  return ~sum;
}

bool
vhd_footer_has_cookie (const uint8_t *p, const char *cookie)
{
  return memcmp (p, cookie, VHD_COOKIE_SIZE) == 0;
}

bool
vhd_footer_checksum_ok (const uint8_t *p, size_t len)
{
  return v2v_be32 (p + FOOTER_CHECKSUM_OFF) ==
         checksum (p, len, FOOTER_CHECKSUM_OFF);
}

void
vhd_footer_decode (const uint8_t *p, struct vhd_footer *ret)
{
  memset (ret, 0, sizeof *ret);
  ret->features = v2v_be32 (p + 8);
  ret->version = v2v_be32 (p + 12);
  ret->data_offset = v2v_be64 (p + 16);
  ret->timestamp = v2v_be32 (p + 24);
  memcpy (ret->creator, p + 28, 4);
  ret->creator_version = v2v_be32 (p + 32);
  memcpy (ret->creator_os, p + 36, 4);
  ret->original_size = v2v_be64 (p + 40);
  ret->current_size = v2v_be64 (p + 48);
  ret->geometry.cylinders = v2v_be16 (p + 56);
  ret->geometry.heads = p[58];
  ret->geometry.sectors = p[59];
  ret->type = v2v_be32 (p + 60);
  ret->checksum = v2v_be32 (p + FOOTER_CHECKSUM_OFF);
  memcpy (ret->id.bytes, p + 68, 16);
  ret->saved_state = p[84];
}

void
vhd_footer_encode (const struct vhd_footer *f, const char *cookie,
                   uint8_t p[VHD_FOOTER_SIZE])
{
  memset (p, 0, VHD_FOOTER_SIZE);
  memcpy (p, cookie, VHD_COOKIE_SIZE);
  v2v_put_be32 (p + 8, f->features);
  v2v_put_be32 (p + 12, f->version);
  v2v_put_be64 (p + 16, f->data_offset);
  v2v_put_be32 (p + 24, f->timestamp);
  memcpy (p + 28, f->creator, 4);
  v2v_put_be32 (p + 32, f->creator_version);
  memcpy (p + 36, f->creator_os, 4);
  v2v_put_be64 (p + 40, f->original_size);
  v2v_put_be64 (p + 48, f->current_size);
  v2v_put_be16 (p + 56, f->geometry.cylinders);
  p[58] = f->geometry.heads;
  p[59] = f->geometry.sectors;
  v2v_put_be32 (p + 60, f->type);
  memcpy (p + 68, f->id.bytes, 16);
  p[84] = f->saved_state;
  v2v_put_be32 (p + FOOTER_CHECKSUM_OFF,
                checksum (p, VHD_FOOTER_SIZE, FOOTER_CHECKSUM_OFF));
}

bool
vhd_header_has_cookie (const uint8_t *p)
{
  return memcmp (p, VHD_HEADER_COOKIE, VHD_COOKIE_SIZE) == 0;
}

bool
vhd_header_checksum_ok (const uint8_t p[VHD_HEADER_SIZE])
{
  return v2v_be32 (p + HEADER_CHECKSUM_OFF) ==
         checksum (p, VHD_HEADER_SIZE, HEADER_CHECKSUM_OFF);
}

void
vhd_header_decode (const uint8_t p[VHD_HEADER_SIZE], struct vhd_header *ret)
{
  memset (ret, 0, sizeof *ret);
  ret->data_offset = v2v_be64 (p + 8);
  ret->table_offset = v2v_be64 (p + 16);
  ret->version = v2v_be32 (p + 24);
  ret->max_entries = v2v_be32 (p + 28);
  ret->block_size = v2v_be32 (p + 32);
  ret->checksum = v2v_be32 (p + HEADER_CHECKSUM_OFF);
  memcpy (ret->parent_id.bytes, p + 40, 16);
  ret->parent_timestamp = v2v_be32 (p + 56);
  memcpy (ret->parent_name, p + VHD_PARENT_NAME_OFF, VHD_PARENT_NAME_BYTES);
  for (size_t i = 0; i < VHD_NR_LOCATORS; ++i) {
    const uint8_t *l = p + LOCATORS_OFF + i * LOCATOR_SIZE;

    ret->locators[i].code = v2v_be32 (l);
    ret->locators[i].data_space = v2v_be32 (l + 4);
    ret->locators[i].data_length = v2v_be32 (l + 8);
    ret->locators[i].data_offset = v2v_be64 (l + 16);
  }
}

void
vhd_header_encode (const struct vhd_header *h, uint8_t p[VHD_HEADER_SIZE])
{
  memset (p, 0, VHD_HEADER_SIZE);
  memcpy (p, VHD_HEADER_COOKIE, VHD_COOKIE_SIZE);
  v2v_put_be64 (p + 8, h->data_offset);
  v2v_put_be64 (p + 16, h->table_offset);
  v2v_put_be32 (p + 24, h->version);
  v2v_put_be32 (p + 28, h->max_entries);
  v2v_put_be32 (p + 32, h->block_size);
  memcpy (p + 40, h->parent_id.bytes, 16);
  v2v_put_be32 (p + 56, h->parent_timestamp);
  memcpy (p + VHD_PARENT_NAME_OFF, h->parent_name, VHD_PARENT_NAME_BYTES);
  for (size_t i = 0; i < VHD_NR_LOCATORS; ++i) {
    uint8_t *l = p + LOCATORS_OFF + i * LOCATOR_SIZE;

    v2v_put_be32 (l, h->locators[i].code);
    v2v_put_be32 (l + 4, h->locators[i].data_space);
    v2v_put_be32 (l + 8, h->locators[i].data_length);
    v2v_put_be64 (l + 16, h->locators[i].data_offset);
  }
  v2v_put_be32 (p + HEADER_CHECKSUM_OFF,
                checksum (p, VHD_HEADER_SIZE, HEADER_CHECKSUM_OFF));
}

void
vhd_bitmap_set (uint8_t *bitmap, uint64_t first, uint64_t n)
{
  while (n > 0 && first % 8 != 0) {
    bitmap[first / 8] |= (uint8_t) (0x80u >> (first % 8));
    first++;
    n--;
  }
  memset (bitmap + first / 8, 0xff, (size_t) (n / 8));
  first += n / 8 * 8;
  for (n %= 8; n > 0; --n, ++first)
    bitmap[first / 8] |= (uint8_t) (0x80u >> (first % 8));
}

uint64_t
vhd_bitmap_run (const uint8_t *bitmap, uint64_t first, uint64_t n,
                bool *ret_value)
{
  const bool value = vhd_bitmap_get (bitmap, first);
  const uint8_t whole = value ? 0xff : 0;
  uint64_t i = 1;

  while (i < n) {
    const uint64_t bit = first + i;

    if (bit % 8 == 0 && n - i >= 8 && bitmap[bit / 8] == whole)
      i += 8;
    else if (vhd_bitmap_get (bitmap, bit) == value)
      i++;
    else
      break;
  }
  *ret_value = value;
  return i;
}
