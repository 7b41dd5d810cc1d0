/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The progress display: fits any width, silent where it must be. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/core/bytes.h"
#include "formats/core/cleanup.h"
#include "formats/core/json.h"
#include "formats/core/text.h"
#include "convert/progress.h"
#include "test-util.h"

static const struct v2v_progress half = {
  .stage = "copy",
  .item = "/srv/a/rather/long/folder/name/of/a/machine-disk1.vhdx",
  .done_bytes = 4 * V2V_GIB,
  .total_bytes = 8 * V2V_GIB,
  .data_bytes = 1 * V2V_GIB,
};

static void
test_a_line_fits_every_width (void **state)
{
  char out[V2V_PROGRESS_LINE];

  (void) state;
  for (unsigned width = 20; width <= 512; ++width) {
    v2v_progress_line (out, width, &half, 850.0 * (double) V2V_MIB, 4.8);
    assert_true (strlen (out) <= width);
    assert_non_null (strstr (out, "50%"));
    assert_null (strpbrk (out, "\r\n\033"));
  }
}

static void
test_rate_bytes_and_time_left_are_told (void **state)
{
  char out[V2V_PROGRESS_LINE];

  (void) state;
  v2v_progress_line (out, 80, &half, 850.0 * (double) V2V_MIB, 4.8);
  assert_non_null (strstr (out, "4.0 GiB/8.0 GiB"));
  assert_non_null (strstr (out, "850.0 MiB/s"));
  assert_non_null (strstr (out, "0:05 left"));
  v2v_progress_line (out, 40, &half, 850.0 * (double) V2V_MIB, 4.8);
  assert_non_null (strstr (out, "850.0 MiB/s"));
  assert_non_null (strstr (out, "0:05"));
}

static void
test_a_wide_line_has_a_bar (void **state)
{
  char out[V2V_PROGRESS_LINE];

  (void) state;
  v2v_progress_line (out, 200, &half, 850.0 * (double) V2V_MIB, 3723.4);
  assert_non_null (strstr (out, "[====="));
  assert_non_null (strstr (out, "1:02:03 left"));
}

static void
test_an_unknown_rate_and_an_empty_disk_are_fine (void **state)
{
  const struct v2v_progress empty = { .stage = "copy", .item = "x" };
  char out[V2V_PROGRESS_LINE];

  (void) state;
  v2v_progress_line (out, 80, &empty, -1, -1);
  assert_non_null (strstr (out, "100%"));
  v2v_progress_line (out, 80, &half, -1, -1);
  assert_null (strstr (out, "left"));
}

static void
test_a_name_is_not_cut_inside_a_character (void **state)
{
  const struct v2v_progress p = {
    .stage = "copy",
    .item = "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü.vhdx",
    .total_bytes = 10,
    .done_bytes = 5,
  };
  char out[V2V_PROGRESS_LINE];

  (void) state;
  for (unsigned width = 20; width <= 80; ++width) {
    v2v_progress_line (out, width, &p, 1, 1);
    assert_true (((unsigned char) out[0] & 0xc0) != 0x80);
  }
}

/* Feed a whole copy to a bar on a file; the text it printed. */
static char *
run_bar (enum v2v_progress_mode mode)
{
  struct v2v_error *err = NULL;
  struct v2v_progress_bar *bar;
  char *text = NULL;
  FILE *fp = tmpfile ();
  long n;

  assert_non_null (fp);
  bar = v2v_progress_bar_new (mode, fp, &err);
  assert_ptr (bar, err);
  for (unsigned i = 0; i <= 10; ++i) {
    const struct v2v_progress p = { .stage = "copy",
                                    .item = "disk1.vhdx",
                                    .done_bytes = i * V2V_MIB,
                                    .total_bytes = 10 * V2V_MIB,
                                    .data_bytes = i * 1000 };

    v2v_progress_bar_update (bar, &p);
  }
  v2v_progress_bar_free (bar);
  n = ftell (fp);
  assert_true (n >= 0);
  text = calloc (1, (size_t) n + 1);
  assert_non_null (text);
  rewind (fp);
  assert_int_equal (fread (text, 1, (size_t) n, fp), n);
  fclose (fp);
  return text;
}

static void
test_a_step_fits_every_width (void **state)
{
  static const char what[] = "ein sehr langer Schritt über über über über";
  char out[V2V_PROGRESS_LINE];

  (void) state;
  for (unsigned width = 20; width <= 80; ++width) {
    v2v_progress_step_line (out, width, what, 3723.4);
    assert_true (strlen (out) <= width);
    assert_non_null (strstr (out, "1:02:03"));
    assert_true (v2v_is_valid_utf8 (out, strlen (out)));
  }
  assert_string_equal (v2v_progress_step_line (out, 80, "waiting", 75),
                       "waiting 1:15");
}

/* Two steps, then bytes; the text that a bar in MODE printed. */
static char *
run_steps (enum v2v_progress_mode mode)
{
  const struct v2v_progress events[] = {
    { .stage = "guest", .item = "first", .step = true },
    { .stage = "guest", .item = "second", .step = true },
    { .stage = "guest", .step = true },
    { .stage = "copy", .item = "d", .done_bytes = 1, .total_bytes = 2 },
  };
  struct v2v_error *err = NULL;
  char *text = NULL;
  size_t len = 0;
  FILE *fp = open_memstream (&text, &len);
  struct v2v_progress_bar *bar;

  assert_non_null (fp);
  bar = v2v_progress_bar_new (mode, fp, &err);
  assert_ptr (bar, err);
  for (size_t i = 0; i < V2V_ARRAY_SIZE (events); ++i)
    v2v_progress_bar_update (bar, &events[i]);
  v2v_progress_bar_free (bar);
  fclose (fp);
  return text;
}

static void
test_steps_are_told_when_they_begin (void **state)
{
  CLEANUP_FREE char *none = run_steps (V2V_PROGRESS_NONE);
  CLEANUP_FREE char *bar = run_steps (V2V_PROGRESS_BAR);
  CLEANUP_FREE char *json = run_steps (V2V_PROGRESS_JSON);
  static const char *const items[] = { "first", "second" };
  char *save = NULL, *line;
  unsigned n = 0;

  (void) state;
  assert_string_equal (none, "");
  assert_memory_equal (bar, "first 0:0", 9);
  assert_non_null (strstr (bar, "\rsecond 0:0"));
  assert_non_null (strstr (bar, "50%"));
  /* A host that is very slow prints a line more. */
  for (line = strtok_r (json, "\n", &save); line != NULL;
       line = strtok_r (NULL, "\n", &save)) {
    struct v2v_error *err = NULL;
    struct v2v_json *j = v2v_json_parse (line, strlen (line), "line", &err);
    uint64_t seconds = 0;

    assert_ptr (j, err);
    if (strcmp (v2v_json_get_string (j, "stage"), "guest") == 0) {
      assert_true (v2v_json_get_u64 (j, "elapsed_seconds", &seconds));
      if (seconds == 0) {
        assert_true (n < V2V_ARRAY_SIZE (items));
        assert_string_equal (v2v_json_get_string (j, "item"), items[n++]);
      }
    }
    v2v_json_free (j);
  }
  assert_int_equal (n, 2);
}

static void
test_nothing_is_printed_where_there_is_no_terminal (void **state)
{
  char *text = run_bar (V2V_PROGRESS_AUTO);

  (void) state;
  assert_string_equal (text, "");
  free (text);
}

static void
test_json_lines_parse_and_end_complete (void **state)
{
  char *text = run_bar (V2V_PROGRESS_JSON), *save = NULL;
  unsigned lines = 0;
  uint64_t done = 0, total = 0, last = 0;

  (void) state;
  for (char *line = strtok_r (text, "\n", &save); line != NULL;
       line = strtok_r (NULL, "\n", &save)) {
    struct v2v_error *err = NULL;
    struct v2v_json *j = v2v_json_parse (line, strlen (line), "line", &err);

    assert_ptr (j, err);
    assert_true (v2v_json_get_u64 (j, "done_bytes", &done));
    assert_true (v2v_json_get_u64 (j, "total_bytes", &total));
    assert_true (done >= last);
    assert_string_equal (v2v_json_get_string (j, "item"), "disk1.vhdx");
    last = done;
    lines++;
    v2v_json_free (j);
  }
  assert_true (lines > 1);
  assert_int_equal (done, total);
  free (text);
}

static void
test_a_bar_leaves_its_line_empty_and_has_no_escape_codes (void **state)
{
  char *text = run_bar (V2V_PROGRESS_BAR);
  const size_t n = strlen (text);
  size_t blanks = 0;

  (void) state;
  assert_true (n > 2 && text[n - 1] == '\r'); /* wiped: ready for a result */
  while (blanks < n - 1 && text[n - 2 - blanks] == ' ')
    blanks++;
  assert_true (blanks >= 20);
  assert_null (strpbrk (text, "\033\n"));
  free (text);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_a_line_fits_every_width),
    cmocka_unit_test (test_rate_bytes_and_time_left_are_told),
    cmocka_unit_test (test_a_wide_line_has_a_bar),
    cmocka_unit_test (test_an_unknown_rate_and_an_empty_disk_are_fine),
    cmocka_unit_test (test_a_name_is_not_cut_inside_a_character),
    cmocka_unit_test (test_a_step_fits_every_width),
    cmocka_unit_test (test_steps_are_told_when_they_begin),
    cmocka_unit_test (test_nothing_is_printed_where_there_is_no_terminal),
    cmocka_unit_test (test_json_lines_parse_and_end_complete),
    cmocka_unit_test (test_a_bar_leaves_its_line_empty_and_has_no_escape_codes),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
