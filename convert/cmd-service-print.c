/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* v2v service: plans, steps and services for people and as JSON. */

#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/cmd-service.h"
#include "formats/core/text.h"

void
service_print_machines (const struct v2v_service_machines *machines)
{
  for (size_t i = 0; i < machines->len; ++i) {
    const struct v2v_service_machine *m = &machines->ptr[i];
    CLEANUP_FREE char *tier = cmd_printable (m->tier);
    CLEANUP_FREE char *name = cmd_printable (m->computer_name);
    CLEANUP_FREE char *host = m->host != NULL ? cmd_printable (m->host) : NULL;

    if (i == 0)
      printf ("%-16s %3s %6s  %-24s %-20s %-12s %s\n", "TIER", "NR", "DOMAIN",
              "NAME", "ADDRESS", "HOST", "STATE");
    printf ("%-16s %3u %6u  %-24s %-20s %-12s %s\n", tier ? tier : "?",
            m->ordinal, m->domain, name ? name : "?",
            m->address ? m->address : "-", host ? host : "-",
            m->state ? m->state
            : m->id  ? "made"
                     : "new");
  }
}

static void
print_change (const struct v2v_document_change *c)
{
  CLEANUP_FREE char *path = cmd_printable (c->path);
  CLEANUP_FREE char *old =
      c->old_value != NULL ? cmd_printable (c->old_value) : NULL;
  CLEANUP_FREE char *new =
      c->new_value != NULL ? cmd_printable (c->new_value) : NULL;

  if (old == NULL)
    printf ("+ %s: %s\n", path, new);
  else if (new == NULL)
    printf ("- %s: %s\n", path, old);
  else
    printf ("  %s: %s -> %s\n", path, old, new);
}

static void
print_steps (const struct v2v_service_steps *steps, bool states)
{
  for (size_t i = 0; i < steps->len; ++i) {
    const struct v2v_service_step *s = &steps->ptr[i];
    CLEANUP_FREE char *subject = cmd_printable (s->subject);
    const char *error = v2v_json_get_string (s->detail, "error");
    CLEANUP_FREE char *shown = error != NULL && strcmp (s->state, "failed") == 0
                                   ? cmd_printable (error)
                                   : NULL;

    printf ("%4zu. %-8s %s%s%s%s%s\n", i + 1, s->kind, subject ? subject : "?",
            states ? "  " : "", states ? s->state : "", shown ? ": " : "",
            shown ? shown : "");
  }
}

int
service_print_plan (const struct cli *cli, const struct v2v_service_plan *p,
                    struct v2v_error **err)
{
  CLEANUP_FREE char *name = cmd_printable (p->name);
  CLEANUP_JSON struct v2v_json *o = NULL;

  if (cli->json) {
    o = v2v_service_plan_to_json (p);
    return cmd_print_json (o, err);
  }
  printf ("%s %s\n", v2v_service_operation_name (p->operation),
          name ? name : "?");
  for (size_t i = 0; p->reasons != NULL && p->reasons[i] != NULL; ++i) {
    CLEANUP_FREE char *reason = cmd_printable (p->reasons[i]);

    printf ("%s\n", reason ? reason : "?");
  }
  for (size_t i = 0; i < p->changes.len; ++i)
    print_change (&p->changes.ptr[i]);
  service_print_machines (&p->machines);
  print_steps (&p->steps, false);
  return 0;
}

int
service_print_service (const struct cli *cli, struct v2v_library *lib,
                       const char *id, struct v2v_error **err)
{
  CLEANUP_SERVICE struct v2v_service s = { .id = NULL };
  CLEANUP_JSON struct v2v_json *o = NULL;
  CLEANUP_FREE char *name = NULL, *template = NULL;

  if (v2v_service_show (lib, id, &s, err) == -1)
    return -1;
  if (cli->json) {
    o = v2v_service_to_json (&s);
    return cmd_print_json (o, err);
  }
  name = cmd_printable (s.name);
  template = cmd_printable (s.template_name);
  printf ("id:       %s\nname:     %s\nstate:    %s\ntemplate: %s", s.id, name,
          s.state, template);
  if (s.template_version != -1)
    printf (" (version %" PRId64 ")", s.template_version);
  printf ("\n");
  service_print_machines (&s.machines);
  if (strcmp (s.state, "deployed") != 0)
    print_steps (&s.steps, true);
  return 0;
}
