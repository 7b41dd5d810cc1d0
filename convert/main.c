/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program v2v. */

#include <config.h>

#include <stdio.h>

#include "convert/convert.h"

int
main (int argc, char *argv[])
{
  (void) argc;
  (void) argv;
  printf ("v2v %s\n", v2v_version ());
  return 0;
}
