/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text descriptor of a VMDK: header keys, extent lines, the disk data
 * base.  "Virtual Disk Format 5.0", "The Descriptor File".
 *
 * Keys compare without case, spaces around '=' are allowed, values may be
 * quoted and have no escapes, lines end in LF or CRLF, the text ends at the
 * first NUL.  Section comments differ between writers and mean nothing.  The
 * bytes are parsed as they stand (no byte of a quote, blank or '=' is ever
 * the second byte of a character in the sets VMware uses); only names are
 * converted, at the end, when the encoding is known.
 */

#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/log.h"
#include "formats/core/text.h"
#include "formats/vmdk-internal.h"

static const char *const type_names[] = {
  [VMDK_TYPE_FLAT] = "FLAT",
  [VMDK_TYPE_SPARSE] = "SPARSE",
  [VMDK_TYPE_ZERO] = "ZERO",
  [VMDK_TYPE_VMFS] = "VMFS",
  [VMDK_TYPE_VMFSSPARSE] = "VMFSSPARSE",
  [VMDK_TYPE_VMFSRDM] = "VMFSRDM",
  [VMDK_TYPE_VMFSRAW] = "VMFSRAW",
  [VMDK_TYPE_SESPARSE] = "SESPARSE",
};

const char *
vmdk_extent_type_name (enum vmdk_extent_type t)
{
  return type_names[t];
}

/* A piece of the text. */
struct span {
  const char *ptr;
  size_t len;
};

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

static struct span
trim (struct span s)
{
  while (s.len > 0 && is_blank (s.ptr[0]))
    s.ptr++, s.len--;
  while (s.len > 0 && is_blank (s.ptr[s.len - 1]))
    s.len--;
  return s;
}

static bool
span_is (struct span s, const char *word)
{
  return s.len == strlen (word) && strncasecmp (s.ptr, word, s.len) == 0;
}

/* Cut the next line off REST; false at the end. */
static bool
next_line (struct span *rest, struct span *ret_line)
{
  const char *nl;

  if (rest->len == 0)
    return false;
  nl = memchr (rest->ptr, '\n', rest->len);
  ret_line->ptr = rest->ptr;
  ret_line->len = nl != NULL ? (size_t) (nl - rest->ptr) : rest->len;
  rest->ptr += ret_line->len + (nl != NULL);
  rest->len -= ret_line->len + (nl != NULL);
  *ret_line = trim (*ret_line);
  return true;
}

static struct span
text_span (const char *text, size_t len)
{
  const char *nul = memchr (text, '\0', len);
  struct span s = { text, nul != NULL ? (size_t) (nul - text) : len };

  if (s.len >= 3 && memcmp (s.ptr, "\xef\xbb\xbf", 3) == 0) /* an editor's */
    s.ptr += 3, s.len -= 3;
  return s;
}

/* KEY = VALUE, the quotes taken off. */
static bool
split_key (struct span line, struct span *ret_key, struct span *ret_value)
{
  const char *eq = memchr (line.ptr, '=', line.len);

  if (eq == NULL)
    return false;
  *ret_key = trim ((struct span){ line.ptr, (size_t) (eq - line.ptr) });
  *ret_value =
      trim ((struct span){ eq + 1, line.len - (size_t) (eq - line.ptr) - 1 });
  return true;
}

int
vmdk_descriptor_probe (const uint8_t *head, size_t len)
{
  struct span rest = text_span ((const char *) head, len);
  struct span line, key, value;
  bool titled = false;

  while (next_line (&rest, &line)) {
    if (line.len == 0)
      continue;
    if (line.ptr[0] == '#') {
      if (span_is (line, "# Disk DescriptorFile"))
        titled = true;
      continue;
    }
    if (!split_key (line, &key, &value) || !span_is (key, "version"))
      return titled ? 60 : 0;
    /* Another version is claimed too: to be refused by its number. */
    return titled ? 100 : 85;
  }
  return titled ? 60 : 0;
}

/* ---- values ---- */

static int
parse_decimal (struct span s, uint64_t *ret)
{
  uint64_t v = 0;

  if (s.len == 0)
    return -1;
  for (size_t i = 0; i < s.len; ++i) {
    if (!isdigit ((unsigned char) s.ptr[i]) || !v2v_mul_u64 (v, 10, &v) ||
        !v2v_add_u64 (v, (uint64_t) (s.ptr[i] - '0'), &v))
      return -1;
  }
  *ret = v;
  return 0;
}

static int
parse_cid (struct span s, uint32_t *ret)
{
  uint32_t v = 0;

  if (s.len == 0 || s.len > 8)
    return -1;
  for (size_t i = 0; i < s.len; ++i) {
    const unsigned char c = (unsigned char) s.ptr[i];

    if (!isxdigit (c))
      return -1;
    v = v << 4 | (uint32_t) (isdigit (c) ? c - '0' : tolower (c) - 'a' + 10);
  }
  *ret = v;
  return 0;
}

/* How much of a hostile value goes into a message. */
static int
shown (struct span s)
{
  return (int) v2v_min_u64 (s.len, 40);
}

/* Take the quotes off VALUE. */
static int
unquote (struct span *value, unsigned line, bool strict, struct v2v_error **err)
{
  const char *close;

  if (value->len == 0 || value->ptr[0] != '"')
    return 0;
  close = memchr (value->ptr + 1, '"', value->len - 1);
  if (close == NULL)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: the quote is not closed", line);
  if (strict && close + 1 != value->ptr + value->len)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: text after the closing quote", line);
  value->ptr++;
  value->len = (size_t) (close - value->ptr);
  return 0;
}

/* Keys kept as text.  ONCE: two different values are refused, because
 * programs would differ in which one they obey. */
struct text_key {
  const char *key;
  size_t member;
  bool once;
};
#define KEY(name, member, once)                                                \
  {                                                                            \
    name, offsetof (struct vmdk_descriptor, member), once                      \
  }
static const struct text_key text_keys[] = {
  KEY ("changeTrackPath", change_track_path, false),
  KEY ("createType", create_type, true),
  KEY ("ddb.adapterType", adapter_type, false),
  KEY ("ddb.geometry.cylinders", geometry[0], false),
  KEY ("ddb.geometry.heads", geometry[1], false),
  KEY ("ddb.geometry.sectors", geometry[2], false),
  KEY ("ddb.iofilters", iofilters, true),
  KEY ("ddb.longContentID", long_content_id, false),
  KEY ("ddb.sidecars", sidecars, false),
  KEY ("ddb.thinProvisioned", thin, false),
  KEY ("ddb.toolsVersion", tools_version, false),
  KEY ("ddb.uuid", uuid, false),
  KEY ("ddb.uuid.image", image_uuid, false), /* VirtualBox */
  KEY ("ddb.virtualHWVersion", hw_version, false),
  KEY ("encoding", encoding, true),
  KEY ("isNativeSnapshot", native_snapshot, true),
  KEY ("parentFileNameHint", parent_hint, true),
};

static int
store_text (struct vmdk_descriptor *d, const struct text_key *k,
            struct span value, unsigned line, struct v2v_error **err)
{
  char **member = (char **) ((char *) d + k->member);

  if (*member != NULL) {
    if (k->once && (strlen (*member) != value.len ||
                    memcmp (*member, value.ptr, value.len) != 0))
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "descriptor line %u: a second %s '%.*s', the first "
                       "was '%.40s'",
                       line, k->key, shown (value), value.ptr, *member);
    return 0;
  }
  *member = strndup (value.ptr, value.len);
  return *member != NULL ? 0 : v2v_fail_nomem (err);
}

static int
store_sector_size (struct span key, struct span value, uint32_t *ret,
                   struct v2v_error **err)
{
  uint64_t v;

  if (parse_decimal (value, &v) == -1 || (v != 512 && v != 4096))
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "descriptor: %.*s is '%.*s', expected 512 or 4096",
                     (int) key.len, key.ptr, shown (value), value.ptr);
  *ret = (uint32_t) v;
  return 0;
}

static int
store_cid (struct span key, struct span value, bool *seen, uint32_t *ret,
           unsigned line, struct v2v_error **err)
{
  uint32_t v;

  if (parse_cid (value, &v) == -1)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: %.*s is '%.*s', expected up to 8 "
                     "hexadecimal digits",
                     line, (int) key.len, key.ptr, shown (value), value.ptr);
  if (*seen && v != *ret)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: a second %.*s %08" PRIx32
                     ", the first was %08" PRIx32,
                     line, (int) key.len, key.ptr, v, *ret);
  *seen = true;
  *ret = v;
  return 0;
}

static int
store_version (struct vmdk_descriptor *d, struct span value,
               struct v2v_error **err)
{
  uint64_t v;

  if (parse_decimal (value, &v) == -1)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor: version is '%.*s', expected a number",
                     shown (value), value.ptr);
  if (v < 1 || v > VMDK_MAX_VERSION)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "descriptor: version %" PRIu64 ", expected 1..%d", v,
                     VMDK_MAX_VERSION);
  d->version = (uint32_t) v;
  return 0;
}

static int
parse_key (struct vmdk_descriptor *d, struct span key, struct span value,
           unsigned line, bool strict, bool *has_parent_cid,
           struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (text_keys); ++i)
    if (span_is (key, text_keys[i].key))
      return store_text (d, &text_keys[i], value, line, err);

  if (span_is (key, "version"))
    return store_version (d, value, err);
  if (span_is (key, "CID"))
    return store_cid (key, value, &d->has_cid, &d->cid, line, err);
  if (span_is (key, "parentCID"))
    return store_cid (key, value, has_parent_cid, &d->parent_cid, line, err);
  if (span_is (key, "keyID") || span_is (key, "encryptionKeys") ||
      span_is (key, "keySafe")) {
    d->encrypted = true;
    return 0;
  }
  if (span_is (key, "ddb.logicalSectorSize"))
    return store_sector_size (key, value, &d->logical_sector_bytes, err);
  if (span_is (key, "ddb.physicalSectorSize"))
    return store_sector_size (key, value, &d->physical_sector_bytes, err);
  if (strict && !(key.len > 4 && strncasecmp (key.ptr, "ddb.", 4) == 0))
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: unknown key '%.*s'", line,
                     shown (key), key.ptr);
  return 0;
}

/* ---- extent lines ---- */

/* Cut the next word off REST, or the next quoted string. */
static int
next_token (struct span *rest, struct span *ret, bool *ret_quoted,
            unsigned line, struct v2v_error **err)
{
  size_t n = 0;

  *rest = trim (*rest);
  *ret_quoted = rest->len > 0 && rest->ptr[0] == '"';
  if (*ret_quoted) {
    const char *close = memchr (rest->ptr + 1, '"', rest->len - 1);

    if (close == NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "descriptor line %u: the quote is not closed", line);
    *ret = (struct span){ rest->ptr + 1, (size_t) (close - rest->ptr) - 1 };
    n = ret->len + 2;
  }
  else {
    while (n < rest->len && !is_blank (rest->ptr[n]) && rest->ptr[n] != '"')
      n++;
    *ret = (struct span){ rest->ptr, n };
  }
  rest->ptr += n;
  rest->len -= n;
  return 0;
}

static bool
parse_access (struct span word, enum vmdk_access *ret)
{
  if (span_is (word, "RW"))
    *ret = VMDK_ACCESS_RW;
  else if (span_is (word, "RDONLY"))
    *ret = VMDK_ACCESS_RDONLY;
  else if (span_is (word, "NOACCESS"))
    *ret = VMDK_ACCESS_NONE;
  else
    return false;
  return true;
}

static int
parse_type (struct span word, enum vmdk_extent_type *ret, unsigned line,
            struct v2v_error **err)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (type_names); ++i)
    if (span_is (word, type_names[i])) {
      *ret = (enum vmdk_extent_type) i;
      return 0;
    }
  return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                   "descriptor line %u: extent type '%.*s' is not known", line,
                   (int) v2v_min_u64 (word.len, VMDK_MAX_TOKEN), word.ptr);
}

static int
parse_extent_file (struct vmdk_extent_line *e, struct span rest,
                   struct v2v_error **err)
{
  struct span token;
  bool quoted;

  if (next_token (&rest, &token, &quoted, e->line, err) == -1)
    return -1;
  if (token.len == 0 && !quoted) {
    if (e->type == VMDK_TYPE_ZERO || e->access == VMDK_ACCESS_NONE)
      return 0;
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: %s extent without a file name",
                     e->line, type_names[e->type]);
  }
  if (token.len > VMDK_MAX_FILE_NAME)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: file name of %zu bytes, at most %d",
                     e->line, token.len, VMDK_MAX_FILE_NAME);
  e->file = strndup (token.ptr, token.len);
  if (e->file == NULL)
    return v2v_fail_nomem (err);

  if (next_token (&rest, &token, &quoted, e->line, err) == -1)
    return -1;
  if (token.len == 0)
    return 0;
  e->has_offset = true;
  if (parse_decimal (token, &e->offset) == -1)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: offset '%.*s', expected a number "
                     "of sectors",
                     e->line, shown (token), token.ptr);
  /* What may follow names a partition or a device: nothing to us. */
  return 0;
}

static struct vmdk_extent_line *
new_line (struct vmdk_descriptor *d, struct v2v_error **err)
{
  if (d->nr_lines == VMDK_MAX_EXTENTS) {
    v2v_fail (err, V2V_ERR_FORMAT, "descriptor: more than %d extents",
              VMDK_MAX_EXTENTS);
    return NULL;
  }
  if (d->nr_lines == d->cap_lines) {
    const size_t cap = d->cap_lines + d->cap_lines / 2 + 8;
    struct vmdk_extent_line *p = reallocarray (d->lines, cap, sizeof *p);

    if (p == NULL) {
      v2v_fail_nomem (err);
      return NULL;
    }
    d->lines = p;
    d->cap_lines = cap;
  }
  memset (&d->lines[d->nr_lines], 0, sizeof d->lines[0]);
  return &d->lines[d->nr_lines++];
}

/* REST is the line after its ACCESS word. */
static int
parse_extent (struct vmdk_descriptor *d, enum vmdk_access access,
              struct span rest, unsigned line, struct v2v_error **err)
{
  struct vmdk_extent_line *e = new_line (d, err);
  struct span token;
  bool quoted;

  if (e == NULL)
    return -1;
  e->access = access;
  e->line = line;
  if (next_token (&rest, &token, &quoted, line, err) == -1)
    return -1;
  if (parse_decimal (token, &e->sectors) == -1 ||
      e->sectors > VMDK_MAX_DISK_BYTES / VMDK_SECTOR)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: extent of '%.*s' sectors, expected "
                     "0..%" PRIu64,
                     line, shown (token), token.ptr,
                     VMDK_MAX_DISK_BYTES / VMDK_SECTOR);
  if (next_token (&rest, &token, &quoted, line, err) == -1 ||
      parse_type (token, &e->type, line, err) == -1)
    return -1;
  return parse_extent_file (e, rest, err);
}

/* ---- names in other character sets ---- */

/* Convert *TEXT in place; the bytes as they stood go to *RET_RAW (may be
 * NULL).  A file copied from a VMware host often has the raw bytes for its
 * name, so what cannot be converted is taken as it is. */
static int
convert_name (const char *encoding, char **text, char **ret_raw,
              struct v2v_error **err)
{
  struct v2v_error *e = NULL;
  char *utf8;

  if (*text == NULL)
    return 0;
  utf8 = v2v_to_utf8 (encoding, *text, strlen (*text), &e);
  if (utf8 == NULL) {
    if (v2v_error_code (e) == V2V_ERR_NOMEM)
      return v2v_error_move (err, e);
    v2v_warn ("descriptor: a name is not valid in encoding '%.40s'; it is "
              "taken byte by byte",
              encoding);
    v2v_error_free (e);
    return 0;
  }
  if (ret_raw != NULL && strcmp (utf8, *text) != 0)
    *ret_raw = *text;
  else
    free (*text);
  *text = utf8;
  return 0;
}

static int
convert_names (struct vmdk_descriptor *d, struct v2v_error **err)
{
  const char *encoding = d->encoding;

  if (encoding == NULL || encoding[0] == '\0' ||
      strcasecmp (encoding, "UTF-8") == 0 || strcasecmp (encoding, "UTF8") == 0)
    return 0;
  /* iconv gives meaning to other characters ("//TRANSLIT"). */
  for (const char *p = encoding; *p != '\0'; ++p)
    if (!isalnum ((unsigned char) *p) && strchr ("-_.:", *p) == NULL)
      return v2v_fail (err, V2V_ERR_FORMAT,
                       "descriptor: encoding '%.40s' is not the name of a "
                       "character set",
                       encoding);
  for (size_t i = 0; i < d->nr_lines; ++i)
    if (convert_name (encoding, &d->lines[i].file, &d->lines[i].file_raw,
                      err) == -1)
      return -1;
  return convert_name (encoding, &d->parent_hint, NULL, err);
}

/* ---- the whole ---- */

static int
parse_line (struct vmdk_descriptor *d, struct span line, unsigned nr,
            bool strict, bool *has_parent_cid, struct v2v_error **err)
{
  struct span key, value, rest = line;
  enum vmdk_access access;
  bool quoted;

  if (line.len == 0 || line.ptr[0] == '#')
    return 0;
  if (line.ptr[0] != '"') {
    if (next_token (&rest, &key, &quoted, nr, err) == -1)
      return -1;
    if (parse_access (key, &access) && rest.len > 0 && trim (rest).len > 0 &&
        trim (rest).ptr[0] != '=')
      return parse_extent (d, access, rest, nr, err);
  }
  if (split_key (line, &key, &value)) {
    if (unquote (&value, nr, strict, err) == -1)
      return -1;
    return parse_key (d, key, value, nr, strict, has_parent_cid, err);
  }
  if (strict)
    return v2v_fail (err, V2V_ERR_FORMAT,
                     "descriptor line %u: '%.*s' is neither a key, an extent "
                     "nor a comment",
                     nr, shown (line), line.ptr);
  return 0;
}

int
vmdk_descriptor_parse (const char *text, size_t len, bool strict,
                       struct vmdk_descriptor *ret, struct v2v_error **err)
{
  struct span rest = text_span (text, len);
  struct span line;
  bool has_parent_cid = false;
  unsigned nr = 0;

  ret->parent_cid = VMDK_NO_PARENT_CID;
  ret->logical_sector_bytes = VMDK_SECTOR;
  if (len > VMDK_MAX_DESCRIPTOR_BYTES)
    return v2v_fail (err, V2V_ERR_FORMAT, "descriptor of %zu bytes, at most %d",
                     len, VMDK_MAX_DESCRIPTOR_BYTES);
  while (next_line (&rest, &line))
    if (parse_line (ret, line, ++nr, strict, &has_parent_cid, err) == -1)
      return -1;
  if (ret->nr_lines == 0)
    return v2v_fail (err, V2V_ERR_FORMAT, "descriptor: no extent line");
  if (ret->version == 0) {
    if (strict)
      return v2v_fail (err, V2V_ERR_FORMAT, "descriptor: no version line");
    ret->version = 1;
  }
  return convert_names (ret, err);
}

void
vmdk_descriptor_clear (struct vmdk_descriptor *d)
{
  for (size_t i = 0; i < V2V_ARRAY_SIZE (text_keys); ++i)
    free (*(char **) ((char *) d + text_keys[i].member));
  for (size_t i = 0; i < d->nr_lines; ++i) {
    free (d->lines[i].file);
    free (d->lines[i].file_raw);
  }
  free (d->lines);
  memset (d, 0, sizeof *d);
}

/* ---- what is no disk image ---- */

static const struct {
  const char *create_type;
  const char *what;
} refused_types[] = {
  { "fullDevice", "a whole physical device; its data is not in a file" },
  { "partitionedDevice",
    "partitions of a physical device; its data is not in a file" },
  { "vmfsRDM", "a raw device mapping; its data is on a LUN" },
  { "vmfsRawDeviceMap", "a raw device mapping; its data is on a LUN" },
  { "vmfsRDMP", "a raw device mapping; its data is on a LUN" },
  { "vmfsPassthroughRawDeviceMap",
    "a raw device mapping; its data is on a LUN" },
  { "vmfsRaw", "a device of the ESXi host; its data is not in a file" },
};

/* I/O filters, a list of names: encryption is refused, replication does not
 * change the data, of others nobody knows what they did. */
static int
refuse_filters (const char *filters, bool force, struct v2v_error **err)
{
  const char *p = filters;

  for (;;) {
    size_t n;

    p += strspn (p, " ,;\t");
    n = strcspn (p, " ,;\t");
    if (n == 0)
      return 0;
    if (n >= 13 && strncasecmp (p, "vmwarevmcrypt", 13) == 0)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "the disk is encrypted (I/O filter vmwarevmcrypt)");
    if (!(n >= 9 && strncasecmp (p, "vmwarelwd", 9) == 0) && !force) {
      v2v_fail (err, V2V_ERR_UNSUPPORTED,
                "the disk has passed through the I/O filter '%.*s', which may "
                "have changed its data",
                (int) v2v_min_u64 (n, 40), p);
      return v2v_hint (err, "if the filter is known to be harmless (a cache "
                            "that was flushed), v2v copy --force reads it");
    }
    p += n;
  }
}

int
vmdk_descriptor_refuse (const struct vmdk_descriptor *d, bool force,
                        struct v2v_error **err)
{
  if (d->encrypted)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "the disk is encrypted (its descriptor has keys)");
  if (d->native_snapshot != NULL && d->native_snapshot[0] != '\0' &&
      strcasecmp (d->native_snapshot, "no") != 0)
    return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                     "the disk is a native snapshot (isNativeSnapshot '%.40s'"
                     "); its data is in the storage array",
                     d->native_snapshot);
  for (size_t i = 0;
       d->create_type != NULL && i < V2V_ARRAY_SIZE (refused_types); ++i)
    if (strcasecmp (d->create_type, refused_types[i].create_type) == 0)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED, "the disk is %s (%s)",
                       refused_types[i].what, d->create_type);
  for (size_t i = 0; i < d->nr_lines; ++i) {
    const struct vmdk_extent_line *e = &d->lines[i];

    if (e->type == VMDK_TYPE_VMFSRDM)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "the disk is a raw device mapping; its data is on a "
                       "LUN (extent type VMFSRDM)");
    if (e->type == VMDK_TYPE_VMFSRAW)
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "the disk is a device of the ESXi host; its data is "
                       "not in a file (extent type VMFSRAW)");
    if (e->file != NULL && (strncmp (e->file, "vsan://", 7) == 0 ||
                            strncmp (e->file, "vvol://", 7) == 0))
      return v2v_fail (err, V2V_ERR_UNSUPPORTED,
                       "the data of the disk is in a %.4s object, not in a "
                       "file: export it first",
                       e->file);
  }
  if (d->iofilters != NULL)
    return refuse_filters (d->iofilters, force, err);
  return 0;
}
