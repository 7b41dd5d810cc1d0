/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compressions of an initramfs (lib/decompress.c of the kernel has the
 * same list and the same magic numbers).
 *
 * lz4 is the "legacy" format of lz4_Block_format.md and lz4_Frame_format.md:
 * a magic number, then blocks of up to 8 MiB with their length before them; it
 * has no end of its own: the file ends, or a length of zero is padding.
 *
 * lzo is what lzop writes, as lib/decompress_unlzo.c reads it: a header with a
 * name, then blocks of up to 256 KiB, each with both its lengths and one
 * checksum before it, until a length of zero.
 */

#include <config.h>

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#endif

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "inject/unpack.h"

#define LZ4_MAGIC       0x184c2102u
#define LZ4_BLOCK_BYTES (8u << 20)

/* Both ends of one call. */
struct span {
  const uint8_t *in;
  size_t in_len;
  uint8_t *out;
  size_t out_len;
};

struct codec {
  const char *name;
  uint8_t magic[6];
  size_t magic_len;
  int (*begin) (struct v2v_unpack *u, struct v2v_error **err);
  /* Moves S's ends; 1 = the stream has ended, 0 = go on. */
  int (*run) (struct v2v_unpack *u, struct span *s, struct v2v_error **err);
  void (*end) (struct v2v_unpack *u);
};

struct v2v_unpack {
  const struct codec *codec;
  z_stream z;
  lzma_stream lzma;
  bz_stream bz;
  ZSTD_DStream *zstd;
  struct {
    uint8_t word[4];
    char *in, *out;
    size_t in_have, in_need; /* in_need 0: a length is being read */
    size_t out_pos, out_len;
    bool has_magic;
  } lz4;
  struct {
    int step; /* enum lzo_step */
    uint8_t *in, *out;
    size_t in_have, in_need;
    size_t out_pos, out_len;
    unsigned version;
  } lzo;
};

static int
damaged (const struct v2v_unpack *u, struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_FORMAT, "%s: the compressed data are damaged",
                   u->codec->name);
}

/* The old libraries count in "unsigned". */
static unsigned
to_unsigned (size_t n)
{
  return n > 1u << 30 ? 1u << 30 : (unsigned) n;
}

static int
gzip_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  return inflateInit2 (&u->z, 15 + 16) == Z_OK ? 0 : v2v_fail_nomem (err);
}

static int
gzip_run (struct v2v_unpack *u, struct span *s, struct v2v_error **err)
{
  const unsigned in = to_unsigned (s->in_len), out = to_unsigned (s->out_len);
  int r;

  u->z.next_in = (Bytef *) (uintptr_t) s->in;
  u->z.avail_in = in;
  u->z.next_out = s->out;
  u->z.avail_out = out;
  r = inflate (&u->z, Z_NO_FLUSH);
  if (r == Z_MEM_ERROR)
    return v2v_fail_nomem (err);
  if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
    return damaged (u, err);
  s->in_len -= in - u->z.avail_in;
  s->out_len -= out - u->z.avail_out;
  return r == Z_STREAM_END;
}

static void
gzip_end (struct v2v_unpack *u)
{
  inflateEnd (&u->z);
}

static int
xz_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  return lzma_stream_decoder (&u->lzma, V2V_UNPACK_MAX_MEMORY, 0) == LZMA_OK
             ? 0
             : v2v_fail_nomem (err);
}

static int
lzma_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  return lzma_alone_decoder (&u->lzma, V2V_UNPACK_MAX_MEMORY) == LZMA_OK
             ? 0
             : v2v_fail_nomem (err);
}

static int
xz_run (struct v2v_unpack *u, struct span *s, struct v2v_error **err)
{
  lzma_ret r;

  u->lzma.next_in = s->in;
  u->lzma.avail_in = s->in_len;
  u->lzma.next_out = s->out;
  u->lzma.avail_out = s->out_len;
  r = lzma_code (&u->lzma, LZMA_RUN);
  if (r == LZMA_MEM_ERROR)
    return v2v_fail_nomem (err);
  if (r == LZMA_MEMLIMIT_ERROR)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "%s: unpacking needs more than %u MiB of memory",
                     u->codec->name, V2V_UNPACK_MAX_MEMORY >> 20);
  if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
    return damaged (u, err);
  s->in_len = u->lzma.avail_in;
  s->out_len = u->lzma.avail_out;
  return r == LZMA_STREAM_END;
}

static void
xz_end (struct v2v_unpack *u)
{
  lzma_end (&u->lzma);
}

static int
bzip2_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  return BZ2_bzDecompressInit (&u->bz, 0, 0) == BZ_OK ? 0
                                                      : v2v_fail_nomem (err);
}

static int
bzip2_run (struct v2v_unpack *u, struct span *s, struct v2v_error **err)
{
  const unsigned in = to_unsigned (s->in_len), out = to_unsigned (s->out_len);
  int r;

  u->bz.next_in = (char *) (uintptr_t) s->in;
  u->bz.avail_in = in;
  u->bz.next_out = (char *) s->out;
  u->bz.avail_out = out;
  r = BZ2_bzDecompress (&u->bz);
  if (r == BZ_MEM_ERROR)
    return v2v_fail_nomem (err);
  if (r != BZ_OK && r != BZ_STREAM_END)
    return damaged (u, err);
  s->in_len -= in - u->bz.avail_in;
  s->out_len -= out - u->bz.avail_out;
  return r == BZ_STREAM_END;
}

static void
bzip2_end (struct v2v_unpack *u)
{
  BZ2_bzDecompressEnd (&u->bz);
}

static int
zstd_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  u->zstd = ZSTD_createDStream ();
  /* 2^27 bytes: what "zstd -22 --ultra" uses and the kernel accepts. */
  if (u->zstd == NULL ||
      ZSTD_isError (ZSTD_DCtx_setParameter (u->zstd, ZSTD_d_windowLogMax, 27)))
    return v2v_fail_nomem (err);
  return 0;
}

static int
zstd_run (struct v2v_unpack *u, struct span *s, struct v2v_error **err)
{
  ZSTD_inBuffer in = { .src = s->in, .size = s->in_len };
  ZSTD_outBuffer out = { .dst = s->out, .size = s->out_len };
  const size_t r = ZSTD_decompressStream (u->zstd, &out, &in);

  if (ZSTD_isError (r))
    return damaged (u, err);
  s->in_len -= in.pos;
  s->out_len -= out.pos;
  return r == 0;
}

static void
zstd_end (struct v2v_unpack *u)
{
  ZSTD_freeDStream (u->zstd);
}

static int
lz4_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  u->lz4.in = malloc (LZ4_COMPRESSBOUND (LZ4_BLOCK_BYTES));
  u->lz4.out = malloc (LZ4_BLOCK_BYTES);
  return u->lz4.in && u->lz4.out ? 0 : v2v_fail_nomem (err);
}

/* A word is complete: the magic number, again one where streams were joined, a
 * block's length, or the zeros of padding. */
static int
lz4_word (struct v2v_unpack *u, struct v2v_error **err)
{
  const uint32_t v = v2v_le32 (u->lz4.word);

  u->lz4.in_have = 0;
  if (v == LZ4_MAGIC) {
    u->lz4.has_magic = true;
    return 0;
  }
  if (v == 0)
    return 1;
  if (!u->lz4.has_magic || v > LZ4_COMPRESSBOUND (LZ4_BLOCK_BYTES))
    return damaged (u, err);
  u->lz4.in_need = v;
  return 0;
}

static int
lz4_run (struct v2v_unpack *u, struct span *s, struct v2v_error **err)
{
  while (u->lz4.out_pos == u->lz4.out_len && s->in_len > 0) {
    const bool word = u->lz4.in_need == 0;
    const size_t need = (word ? 4 : u->lz4.in_need) - u->lz4.in_have;
    const size_t n = s->in_len < need ? s->in_len : need;
    int len;

    memcpy ((word ? (char *) u->lz4.word : u->lz4.in) + u->lz4.in_have, s->in,
            n);
    s->in += n;
    s->in_len -= n;
    u->lz4.in_have += n;
    if (n < need)
      return 0;
    if (word) {
      const int r = lz4_word (u, err);

      if (r != 0)
        return r;
      continue;
    }
    len = LZ4_decompress_safe (u->lz4.in, u->lz4.out, (int) u->lz4.in_need,
                               (int) LZ4_BLOCK_BYTES);
    if (len < 0)
      return damaged (u, err);
    u->lz4.in_need = u->lz4.in_have = u->lz4.out_pos = 0;
    u->lz4.out_len = (size_t) len;
  }
  if (s->in_len == 0 && u->lz4.out_pos == u->lz4.out_len && s->in == NULL &&
      u->lz4.in_have + u->lz4.in_need > 0)
    return damaged (u, err); /* the file ends inside a block */
  {
    const size_t left = u->lz4.out_len - u->lz4.out_pos;
    const size_t n = left < s->out_len ? left : s->out_len;

    if (n > 0)
      memcpy (s->out, u->lz4.out + u->lz4.out_pos, n);
    u->lz4.out_pos += n;
    s->out_len -= n;
  }
  return 0;
}

static void
lz4_end (struct v2v_unpack *u)
{
  free (u->lz4.in);
  free (u->lz4.out);
}

#ifdef HAVE_LZO

#define LZO_BLOCK_BYTES (256u << 10)
/* From this version on the header has a level and a time of 64 bits. */
#define LZO_NEW_VERSION 0x0940
#define LZO_HAS_FILTER  0x00000800u

/* What the next in_need bytes are. */
enum lzo_step {
  LZO_BEGIN,  /* magic number, versions, method */
  LZO_FLAGS,  /* level, flags */
  LZO_LENGTH, /* filter, mode, time, length of the name */
  LZO_NAME,   /* with a checksum */
  LZO_OUT,    /* a block: its length, unpacked */
  LZO_IN,     /* packed, and a checksum */
  LZO_BLOCK,
};

static int
lzo_begin (struct v2v_unpack *u, struct v2v_error **err)
{
  u->lzo.step = LZO_BEGIN;
  u->lzo.in_need = 16;
  u->lzo.in = malloc (LZO_BLOCK_BYTES);
  u->lzo.out = malloc (LZO_BLOCK_BYTES);
  if (u->lzo.in == NULL || u->lzo.out == NULL)
    return v2v_fail_nomem (err);
  return lzo_init () == LZO_E_OK
             ? 0
             : v2v_fail (err, V2V_ERR_UNSUPPORTED, "liblzo2 does not start");
}

static int
lzo_block (struct v2v_unpack *u, struct v2v_error **err)
{
  lzo_uint len = u->lzo.out_len;

  /* What did not get shorter is stored. */
  if (u->lzo.in_have == len)
    memcpy (u->lzo.out, u->lzo.in, len);
  else if (lzo1x_decompress_safe (u->lzo.in, u->lzo.in_have, u->lzo.out, &len,
                                  NULL) != LZO_E_OK ||
           len != u->lzo.out_len)
    return damaged (u, err);
  u->lzo.out_pos = 0;
  return 0;
}

/* The bytes of one step are all there.  1 = the stream has ended. */
static int
lzo_step (struct v2v_unpack *u, struct v2v_error **err)
{
  static const uint8_t magic[] = { 0x89, 'L',  'Z',  'O', 0,
                                   '\r', '\n', 0x1a, '\n' };
  const uint8_t *in = u->lzo.in;
  const bool is_new = u->lzo.version >= LZO_NEW_VERSION;
  uint32_t v;

  switch ((enum lzo_step) u->lzo.step) {
  case LZO_BEGIN:
    if (memcmp (in, magic, sizeof magic) != 0)
      return damaged (u, err);
    u->lzo.version = v2v_be16 (in + sizeof magic);
    u->lzo.in_need = u->lzo.version >= LZO_NEW_VERSION ? 5 : 4;
    break;
  case LZO_FLAGS:
    v = v2v_be32 (in + (is_new ? 1 : 0));
    u->lzo.in_need = (v & LZO_HAS_FILTER ? 4u : 0u) + (is_new ? 12u : 8u) + 1u;
    break;
  case LZO_LENGTH:
    u->lzo.in_need = in[u->lzo.in_have - 1] + 4u;
    break;
  case LZO_NAME:
    u->lzo.in_need = 4;
    break;
  case LZO_OUT:
    v = v2v_be32 (in);
    if (v == 0)
      return 1;
    if (v > LZO_BLOCK_BYTES)
      return damaged (u, err);
    u->lzo.out_len = u->lzo.out_pos = v;
    u->lzo.in_need = 8;
    break;
  case LZO_IN:
    v = v2v_be32 (in);
    if (v == 0 || v > u->lzo.out_len)
      return damaged (u, err);
    u->lzo.in_need = v;
    break;
  case LZO_BLOCK:
    if (lzo_block (u, err) == -1)
      return -1;
    u->lzo.in_need = 4;
    break;
  }
  u->lzo.in_have = 0;
  u->lzo.step = u->lzo.step == LZO_BLOCK ? LZO_OUT : u->lzo.step + 1;
  return 0;
}

static int
lzo_run (struct v2v_unpack *u, struct span *s, struct v2v_error **err)
{
  size_t n;

  while (u->lzo.out_pos == u->lzo.out_len && s->in_len > 0) {
    int r = 0;

    n = u->lzo.in_need - u->lzo.in_have;
    n = s->in_len < n ? s->in_len : n;
    memcpy (u->lzo.in + u->lzo.in_have, s->in, n);
    s->in += n;
    s->in_len -= n;
    u->lzo.in_have += n;
    if (u->lzo.in_have == u->lzo.in_need)
      r = lzo_step (u, err);
    if (r != 0)
      return r;
  }
  n = u->lzo.out_len - u->lzo.out_pos;
  n = n < s->out_len ? n : s->out_len;
  if (n > 0)
    memcpy (s->out, u->lzo.out + u->lzo.out_pos, n);
  u->lzo.out_pos += n;
  s->out_len -= n;
  return 0;
}

static void
lzo_end (struct v2v_unpack *u)
{
  free (u->lzo.in);
  free (u->lzo.out);
}

#else
#define lzo_begin NULL
#define lzo_run   NULL
#define lzo_end   NULL
#endif

static const struct codec codecs[] = {
  { "gzip", { 0x1f, 0x8b }, 2, gzip_begin, gzip_run, gzip_end },
  { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, xz_begin, xz_run, xz_end },
  { "lzma", { 0x5d, 0, 0 }, 3, lzma_begin, xz_run, xz_end },
  { "bzip2", { 'B', 'Z', 'h' }, 3, bzip2_begin, bzip2_run, bzip2_end },
  { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_begin, zstd_run, zstd_end },
  { "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, lz4_begin, lz4_run, lz4_end },
  { "lzo", { 0x89, 'L', 'Z', 'O' }, 4, lzo_begin, lzo_run, lzo_end },
  /* The kernel does not read this one. */
  { "lz4-frame", { 0x04, 0x22, 0x4d, 0x18 }, 4, NULL, NULL, NULL },
};

const char *
v2v_unpack_probe (const void *head, size_t len)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (codecs); ++i)
    if (len >= codecs[i].magic_len &&
        memcmp (head, codecs[i].magic, codecs[i].magic_len) == 0)
      return codecs[i].name;
  return NULL;
}

struct v2v_unpack *
v2v_unpack_new (const char *name, struct v2v_error **err)
{
  struct v2v_unpack *u = calloc (1, sizeof *u);

  if (u == NULL) {
    v2v_fail_nomem (err);
    return NULL;
  }
  for (size_t i = 0; i < V2V_ARRAY_SIZE (codecs); ++i)
    if (strcmp (codecs[i].name, name) == 0)
      u->codec = &codecs[i];
  if (u->codec == NULL || u->codec->begin == NULL) {
    v2v_fail (
        err, V2V_ERR_UNSUPPORTED, "an initramfs compressed with %s%s", name,
        strcmp (name, "lzo") == 0 ? ": v2v was built without liblzo2" : "");
    free (u);
    return NULL;
  }
  if (u->codec->begin (u, err) == -1) {
    v2v_unpack_free (u);
    return NULL;
  }
  return u;
}

void
v2v_unpack_free (struct v2v_unpack *u)
{
  if (u == NULL)
    return;
  u->codec->end (u);
  free (u);
}

int
v2v_unpack_run (struct v2v_unpack *u, const void *in, size_t in_len,
                size_t *ret_used, void *out, size_t out_len, size_t *ret_len,
                bool *ret_end, struct v2v_error **err)
{
  struct span s = {
    .in = in_len ? in : NULL, .in_len = in_len, .out = out, .out_len = out_len
  };
  const int r = u->codec->run (u, &s, err);

  if (r == -1)
    return -1;
  *ret_used = in_len - s.in_len;
  *ret_len = out_len - s.out_len;
  *ret_end = r == 1;
  return 0;
}
