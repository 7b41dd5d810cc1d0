/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zero test and CRC-32C. */

#include <config.h>

#include <string.h>

#include "formats/core/bytes.h"

/* Zero test: look at the first bytes one by one (most non-zero blocks end the
 * test there), then let memcmp compare the buffer with itself shifted by
 * that prefix.  From RAM all methods run at the speed of memory; libc's
 * memcmp has the vector units for data in cache.
 */
bool
v2v_is_zero (const void *buf, size_t len)
{
  const uint8_t *p = buf;
  size_t i;

  for (i = 0; i < 16 && i < len; ++i)
    if (p[i] != 0)
      return false;
  if (len <= 16)
    return true;
  return memcmp (p, p + 16, len - 16) == 0;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__ ((target ("sse4.2"))) static uint32_t
crc32c_sse42 (uint32_t crc, const uint8_t *p, size_t len)
{
  uint64_t c = crc;

  for (; len >= 8; len -= 8, p += 8)
    c = __builtin_ia32_crc32di (c, v2v_le64 (p));
  for (; len > 0; --len, ++p)
    c = __builtin_ia32_crc32qi ((uint32_t) c, *p);
  return (uint32_t) c;
}
#endif

/* Bit by bit with a nibble table: the fallback only has to do headers and log
 * sectors.  Reflected polynomial 0x82F63B78 [MS-VHDX] 2.1 "CRC-32C".
 */
static uint32_t
crc32c_portable (uint32_t crc, const uint8_t *p, size_t len)
{
  static const uint32_t nibble[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
  };

  for (; len > 0; --len, ++p) {
    crc = nibble[(crc ^ *p) & 15] ^ (crc >> 4);
    crc = nibble[(crc ^ (uint32_t) (*p >> 4)) & 15] ^ (crc >> 4);
  }
  return crc;
}

uint32_t
v2v_crc32c (uint32_t crc, const void *buf, size_t len)
{
  crc = ~crc;
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports ("sse4.2"))
    return ~crc32c_sse42 (crc, buf, len);
#endif
  return ~crc32c_portable (crc, buf, len);
}
