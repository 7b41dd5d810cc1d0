/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in files: byte-wise loads and stores, and checked arithmetic.
 *
 * Structures on disk are packed and unaligned (VMDK) or big-endian (VHD), so
 * nothing casts a buffer to a struct: p[3] is widened BEFORE it is shifted,
 * because (p[3] << 24) on an int overflows into the sign.
 */
#ifndef V2V_BYTES_H
#define V2V_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t
v2v_le16 (const void *vp)
{
  const uint8_t *p = vp;
  return (uint16_t) (p[0] | (unsigned) p[1] << 8);
}

static inline uint32_t
v2v_le32 (const void *vp)
{
  const uint8_t *p = vp;
  return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 |
         (uint32_t) p[3] << 24;
}

static inline uint64_t
v2v_le64 (const void *vp)
{
  const uint8_t *p = vp;
  return (uint64_t) v2v_le32 (p) | (uint64_t) v2v_le32 (p + 4) << 32;
}

static inline uint16_t
v2v_be16 (const void *vp)
{
  const uint8_t *p = vp;
  return (uint16_t) (p[1] | (unsigned) p[0] << 8);
}

static inline uint32_t
v2v_be32 (const void *vp)
{
  const uint8_t *p = vp;
  return (uint32_t) p[3] | (uint32_t) p[2] << 8 | (uint32_t) p[1] << 16 |
         (uint32_t) p[0] << 24;
}

static inline uint64_t
v2v_be64 (const void *vp)
{
  const uint8_t *p = vp;
  return (uint64_t) v2v_be32 (p + 4) | (uint64_t) v2v_be32 (p) << 32;
}

static inline void
v2v_put_le16 (void *vp, uint16_t v)
{
  uint8_t *p = vp;
  p[0] = (uint8_t) v;
  p[1] = (uint8_t) (v >> 8);
}

static inline void
v2v_put_le32 (void *vp, uint32_t v)
{
  uint8_t *p = vp;
  v2v_put_le16 (p, (uint16_t) v);
  v2v_put_le16 (p + 2, (uint16_t) (v >> 16));
}

static inline void
v2v_put_le64 (void *vp, uint64_t v)
{
  uint8_t *p = vp;
  v2v_put_le32 (p, (uint32_t) v);
  v2v_put_le32 (p + 4, (uint32_t) (v >> 32));
}

static inline void
v2v_put_be16 (void *vp, uint16_t v)
{
  uint8_t *p = vp;
  p[1] = (uint8_t) v;
  p[0] = (uint8_t) (v >> 8);
}

static inline void
v2v_put_be32 (void *vp, uint32_t v)
{
  uint8_t *p = vp;
  v2v_put_be16 (p + 2, (uint16_t) v);
  v2v_put_be16 (p, (uint16_t) (v >> 16));
}

static inline void
v2v_put_be64 (void *vp, uint64_t v)
{
  uint8_t *p = vp;
  v2v_put_be32 (p + 4, (uint32_t) v);
  v2v_put_be32 (p, (uint32_t) (v >> 32));
}

/* Checked arithmetic: false on overflow, *R then untouched. */
static inline bool
v2v_add_u64 (uint64_t a, uint64_t b, uint64_t *r)
{
  uint64_t t;
  if (__builtin_add_overflow (a, b, &t))
    return false;
  *r = t;
  return true;
}

static inline bool
v2v_mul_u64 (uint64_t a, uint64_t b, uint64_t *r)
{
  uint64_t t;
  if (__builtin_mul_overflow (a, b, &t))
    return false;
  *r = t;
  return true;
}

/* Round up to a multiple of ALIGN (> 0); false on overflow. */
static inline bool
v2v_round_up_u64 (uint64_t v, uint64_t align, uint64_t *r)
{
  uint64_t t;
  if (!v2v_add_u64 (v, align - 1, &t))
    return false;
  *r = t - t % align;
  return true;
}

/* Is [offset, offset+len-1] inside [0, size-1]?  Never overflows. */
static inline bool
v2v_range_inside (uint64_t offset, uint64_t len, uint64_t size)
{
  return offset <= size && len <= size - offset;
}

static inline uint64_t
v2v_div_up (uint64_t a, uint64_t b)
{
  return a / b + (a % b != 0);
}

static inline bool
v2v_is_pow2 (uint64_t v)
{
  return v != 0 && (v & (v - 1)) == 0;
}

static inline uint64_t
v2v_min_u64 (uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static inline uint64_t
v2v_max_u64 (uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

#define V2V_KIB UINT64_C (1024)
#define V2V_MIB (UINT64_C (1024) * 1024)
#define V2V_GIB (UINT64_C (1024) * 1024 * 1024)
#define V2V_TIB (UINT64_C (1024) * 1024 * 1024 * 1024)

/* Are all LEN bytes zero?  Runs at the speed of memory; see bytes.c. */
bool v2v_is_zero (const void *buf, size_t len);

/* CRC-32C (Castagnoli) of BUF, continuing from CRC (start with 0).  For VHDX
 * headers and logs: small data, a table or SSE4.2 when the CPU has it.
 */
uint32_t v2v_crc32c (uint32_t crc, const void *buf, size_t len);

#endif /* V2V_BYTES_H */
