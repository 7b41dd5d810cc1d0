/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer file is checked before it goes into a guest: Setup stops at a
 * malformed one, with a machine that nobody can log on to.
 *
 * The tables know the components we write, with the elements Microsoft lists
 * for them ("Unattended Windows Setup Reference": Microsoft-Windows-Shell-Setup,
 * -International-Core, -UnattendedJoin, -Deployment,
 * -TerminalServices-LocalSessionManager).  A component or element that they do
 * not know passes, with a finding.
 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "formats/core/cleanup.h"
#include "inject/profile-internal.h"
#include "inject/unattend.h"

enum type {
  GROUP,  /* elements, each at most once */
  ITEM,   /* an element of a list: may stand there often */
  TEXT,   /* up to MAX characters */
  BOOL,   /* "true", "false" */
  NUMBER, /* 1..MAX */
  NAME,   /* of a computer */
  KEY,    /* a product key */
  OPEN,   /* known, not looked into */
};

struct rule {
  const char *path;
  enum type type;
  unsigned max;
  const char *required; /* ITEM: elements it must have, separated by blanks */
};

struct component {
  const char *name;
  const struct rule *rules; /* ended by PATH NULL */
};

#define PASSWORD(path)                                                         \
  { path, GROUP, 0, "Value" }, { path "/Value", TEXT, 1024, NULL },            \
  {                                                                            \
    path "/PlainText", BOOL, 0, NULL                                           \
  }

/* clang-format off */
static const struct rule shell_setup[] = {
  { "ComputerName", NAME, 0, NULL },
  { "CopyProfile", BOOL, 0, NULL },
  { "DisableAutoDaylightTimeSet", BOOL, 0, NULL },
  { "Display", OPEN, 0, NULL },
  { "DoNotCleanTaskBar", BOOL, 0, NULL },
  { "FolderLocations", OPEN, 0, NULL },
  { "LogonCommands", OPEN, 0, NULL },
  { "OEMInformation", OPEN, 0, NULL },
  { "OEMName", TEXT, 256, NULL },
  { "ProductKey", KEY, 0, NULL },
  { "RegisteredOrganization", TEXT, 256, NULL },
  { "RegisteredOwner", TEXT, 256, NULL },
  { "ShowWindowsLive", BOOL, 0, NULL },
  { "StartPanelOff", BOOL, 0, NULL },
  { "Themes", OPEN, 0, NULL },
  { "TimeZone", TEXT, 256, NULL },
  { "VisualEffects", OPEN, 0, NULL },
  { "WindowsFeatures", OPEN, 0, NULL },
  { "UserAccounts", GROUP, 0, NULL },
  PASSWORD ("UserAccounts/AdministratorPassword"),
  { "UserAccounts/DomainAccounts", OPEN, 0, NULL },
  { "UserAccounts/LocalAccounts", GROUP, 0, NULL },
  { "UserAccounts/LocalAccounts/LocalAccount", ITEM, 0, "Name" },
  { "UserAccounts/LocalAccounts/LocalAccount/Name", TEXT, 20, NULL },
  { "UserAccounts/LocalAccounts/LocalAccount/DisplayName", TEXT, 256, NULL },
  { "UserAccounts/LocalAccounts/LocalAccount/Description", TEXT, 256, NULL },
  { "UserAccounts/LocalAccounts/LocalAccount/Group", TEXT, 1024, NULL },
  PASSWORD ("UserAccounts/LocalAccounts/LocalAccount/Password"),
  { "OOBE", GROUP, 0, NULL },
  { "OOBE/HideEULAPage", BOOL, 0, NULL },
  { "OOBE/HideLocalAccountScreen", BOOL, 0, NULL },
  { "OOBE/HideOEMRegistrationScreen", BOOL, 0, NULL },
  { "OOBE/HideOnlineAccountScreens", BOOL, 0, NULL },
  { "OOBE/HideWirelessSetupInOOBE", BOOL, 0, NULL },
  { "OOBE/NetworkLocation", TEXT, 16, NULL },
  { "OOBE/OEMAppId", TEXT, 256, NULL },
  { "OOBE/ProtectYourPC", NUMBER, 3, NULL },
  { "OOBE/SkipMachineOOBE", BOOL, 0, NULL },
  { "OOBE/SkipUserOOBE", BOOL, 0, NULL },
  { "OOBE/UnattendEnableRetailDemo", BOOL, 0, NULL },
  { "OOBE/VMModeOptimizations", OPEN, 0, NULL },
  { "AutoLogon", GROUP, 0, NULL },
  { "AutoLogon/Domain", TEXT, 256, NULL },
  { "AutoLogon/Enabled", BOOL, 0, NULL },
  { "AutoLogon/LogonCount", NUMBER, 0x7fffffff, NULL },
  PASSWORD ("AutoLogon/Password"),
  { "AutoLogon/Username", TEXT, 256, NULL },
  { "FirstLogonCommands", GROUP, 0, NULL },
  { "FirstLogonCommands/SynchronousCommand", ITEM, 0, "Order CommandLine" },
  { "FirstLogonCommands/SynchronousCommand/CommandLine", TEXT, 1024, NULL },
  { "FirstLogonCommands/SynchronousCommand/Description", TEXT, 256, NULL },
  { "FirstLogonCommands/SynchronousCommand/Order", NUMBER, 500, NULL },
  { "FirstLogonCommands/SynchronousCommand/RequiresUserInput", BOOL, 0, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule international[] = {
  { "InputLocale", TEXT, 256, NULL },
  { "SystemLocale", TEXT, 85, NULL },
  { "UILanguage", TEXT, 85, NULL },
  { "UILanguageFallback", TEXT, 85, NULL },
  { "UserLocale", TEXT, 85, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule unattended_join[] = {
  { "Identification", GROUP, 0, NULL },
  { "Identification/Credentials", GROUP, 0, "Username Password" },
  { "Identification/Credentials/Domain", TEXT, 256, NULL },
  { "Identification/Credentials/Password", TEXT, 1024, NULL },
  { "Identification/Credentials/Username", TEXT, 256, NULL },
  { "Identification/DebugJoin", BOOL, 0, NULL },
  { "Identification/DebugJoinOnlyOnThisError", TEXT, 32, NULL },
  { "Identification/JoinDomain", TEXT, 256, NULL },
  { "Identification/JoinWorkgroup", TEXT, 15, NULL },
  { "Identification/MachineObjectOU", TEXT, 1024, NULL },
  { "Identification/MachinePassword", TEXT, 1024, NULL },
  { "Identification/Provisioning", OPEN, 0, NULL },
  { "Identification/TimeoutPeriodInMinutes", NUMBER, 1000, NULL },
  { "Identification/UnsecureJoin", BOOL, 0, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule deployment[] = {
  { "ExtendOSPartition", OPEN, 0, NULL },
  { "Generalize", OPEN, 0, NULL },
  { "Reseal", OPEN, 0, NULL },
  { "RunAsynchronous", GROUP, 0, NULL },
  { "RunAsynchronous/RunAsynchronousCommand", ITEM, 0, "Order Path" },
  { "RunAsynchronous/RunAsynchronousCommand/Credentials", OPEN, 0, NULL },
  { "RunAsynchronous/RunAsynchronousCommand/Description", TEXT, 256, NULL },
  { "RunAsynchronous/RunAsynchronousCommand/Order", NUMBER, 500, NULL },
  { "RunAsynchronous/RunAsynchronousCommand/Path", TEXT, 259, NULL },
  { "RunSynchronous", GROUP, 0, NULL },
  { "RunSynchronous/RunSynchronousCommand", ITEM, 0, "Order Path" },
  { "RunSynchronous/RunSynchronousCommand/Credentials", OPEN, 0, NULL },
  { "RunSynchronous/RunSynchronousCommand/Description", TEXT, 256, NULL },
  { "RunSynchronous/RunSynchronousCommand/Order", NUMBER, 500, NULL },
  { "RunSynchronous/RunSynchronousCommand/Path", TEXT, 259, NULL },
  { "RunSynchronous/RunSynchronousCommand/WillReboot", TEXT, 16, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule terminal_services[] = {
  { "fDenyTSConnections", BOOL, 0, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule firewall[] = {
  { "FirewallGroups", OPEN, 0, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule dns_client[] = {
  { "DNSDomain", TEXT, 255, NULL },
  { "DNSSuffixSearchOrder", OPEN, 0, NULL },
  { "Interfaces", OPEN, 0, NULL },
  { "UseDomainNameDevolution", BOOL, 0, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct rule tcpip[] = {
  { "IcmpRedirectsEnabled", BOOL, 0, NULL },
  { "Interfaces", OPEN, 0, NULL },
  { NULL, GROUP, 0, NULL },
};

static const struct component components[] = {
  { "Microsoft-Windows-DNS-Client", dns_client },
  { "Microsoft-Windows-Deployment", deployment },
  { "Microsoft-Windows-International-Core", international },
  { "Microsoft-Windows-Shell-Setup", shell_setup },
  { "Microsoft-Windows-TCPIP", tcpip },
  { "Microsoft-Windows-TerminalServices-LocalSessionManager",
    terminal_services },
  { "Microsoft-Windows-UnattendedJoin", unattended_join },
  { "Networking-MPSSVC-Svc", firewall },
};

static const char *const passes[] = {
  "windowsPE", "offlineServicing", "generalize", "specialize", "auditSystem",
  "auditUser", "oobeSystem",
};

/* Passes that are over when a generalized image starts. */
static const char *const past[] = {
  "windowsPE", "offlineServicing", "generalize",
};

/* "Valid Configuration Passes" of the reference, of elements that are seen in
 * a wrong one; ELEMENT NULL: all of the component.  What is not named here is
 * not judged. */
static const struct {
  const char *component, *element, *passes;
} valid_passes[] = {
  { "Microsoft-Windows-Deployment", "ExtendOSPartition", "specialize" },
  { "Microsoft-Windows-Deployment", "Reseal", "auditUser oobeSystem" },
  { "Microsoft-Windows-Deployment", "RunAsynchronous", "auditUser specialize" },
  { "Microsoft-Windows-Deployment", "RunSynchronous", "auditUser specialize" },
  { "Microsoft-Windows-International-Core", NULL, "oobeSystem specialize" },
  { "Microsoft-Windows-Shell-Setup", "AutoLogon",
    "auditSystem oobeSystem specialize" },
  { "Microsoft-Windows-Shell-Setup", "ComputerName",
    "offlineServicing specialize" },
  { "Microsoft-Windows-Shell-Setup", "FirstLogonCommands", "oobeSystem" },
  { "Microsoft-Windows-Shell-Setup", "OOBE", "oobeSystem" },
  { "Microsoft-Windows-Shell-Setup", "ProductKey", "specialize" },
  { "Microsoft-Windows-Shell-Setup", "RegisteredOrganization",
    "auditUser generalize offlineServicing oobeSystem specialize" },
  { "Microsoft-Windows-Shell-Setup", "TimeZone",
    "auditSystem oobeSystem specialize" },
  { "Microsoft-Windows-UnattendedJoin", NULL, "specialize" },
};
/* clang-format on */

/* Orders go up to 500; more items cannot have different ones. */
#define MAX_ITEMS 500
/* A file that is all unknown is told so often enough. */
#define MAX_NOTES 100

struct check {
  unsigned nr_notes;
  const char *name; /* of the file */
  const char *arch;
  struct v2v_findings *f;
  const char *component;
  const char *pass;
  const struct rule *rules;
};

static int
refuse (const struct check *c, const struct v2v_xml_node *n, const char *why,
        struct v2v_error **err)
{
  return v2v_fail (err, V2V_ERR_USAGE, "%s: line %ld: %s: %s", c->name,
                   v2v_xml_line (n), v2v_xml_name (n), why);
}

static int
note (struct check *c, const struct v2v_xml_node *n, const char *why,
      struct v2v_error **err)
{
  if (c->nr_notes++ >= MAX_NOTES)
    return 0;
  return v2v_findings_add (c->f, V2V_WARNING, "guest.customize.answer-file",
                           v2v_xml_name (n), "look at this line of the file",
                           "%s: line %ld: %s", c->name, v2v_xml_line (n),
                           why) == -1
             ? v2v_fail_nomem (err)
             : 0;
}

static size_t
nr_characters (const char *s)
{
  size_t n = 0;

  for (; *s != '\0'; ++s)
    n += ((unsigned char) *s & 0xc0) != 0x80;
  return n;
}

/* NULL = fine. */
static const char *
check_value (const struct rule *r, const char *s)
{
  unsigned long n = 0;

  switch (r->type) {
  case BOOL:
    return strcmp (s, "true") == 0 || strcmp (s, "false") == 0 ||
                   strcmp (s, "0") == 0 || strcmp (s, "1") == 0
               ? NULL
               : "expected true or false";
  case NUMBER:
    if (*s == '\0' || strlen (s) > 10 || s[strspn (s, "0123456789")] != '\0' ||
        (n = strtoul (s, NULL, 10)) < 1 || n > r->max)
      return "expected a number in the range of this element";
    return NULL;
  case NAME: {
    CLEANUP_FREE char *name = unattend_computer_name (s, NULL);

    return name != NULL && strcmp (name, s) == 0
               ? NULL
               : "expected a computer name: up to 15 letters, digits and '-', "
                 "not digits alone";
  }
  case KEY:
    return *s == '\0' ? NULL : profile_rule_product_key (s);
  case TEXT:
    return nr_characters (s) <= r->max ? NULL : "longer than Setup takes";
  case GROUP:
  case ITEM:
  case OPEN:
    return NULL;
  }
  return NULL;
}

static const struct rule *
find_rule (const struct check *c, const char *path)
{
  for (const struct rule *r = c->rules; r->path != NULL; ++r)
    if (strcmp (r->path, path) == 0)
      return r;
  return NULL;
}

/* Is the element of this name the second one of its parent? */
static bool
is_repeated (const struct v2v_xml_node *first, const struct v2v_xml_node *n)
{
  for (; first != NULL && first != n; first = v2v_xml_next (first))
    if (strcmp (v2v_xml_name (first), v2v_xml_name (n)) == 0)
      return true;
  return false;
}

static int
check_required (const struct check *c, const struct v2v_xml_node *n,
                const char *words, struct v2v_error **err)
{
  char word[32];

  for (const char *p = words; p != NULL && *p != '\0';) {
    const size_t len = strcspn (p, " ");

    snprintf (word, sizeof word, "%.*s", (int) len, p);
    if (v2v_xml_child (n, UNATTEND_NS, word) == NULL)
      return v2v_fail (err, V2V_ERR_USAGE, "%s: line %ld: %s: %s is missing",
                       c->name, v2v_xml_line (n), v2v_xml_name (n), word);
    p += len;
    p += strspn (p, " ");
  }
  return 0;
}

#define MAX_PATH_LEN 256

/* The Order of an item of N's parent that N has again. */
static bool
order_is_taken (const struct v2v_xml_node *first, const struct v2v_xml_node *n)
{
  const struct v2v_xml_node *mine = v2v_xml_child (n, UNATTEND_NS, "Order");
  CLEANUP_FREE char *order = mine != NULL ? v2v_xml_text (mine) : NULL;

  for (; order != NULL && first != NULL && first != n;
       first = v2v_xml_next (first)) {
    const struct v2v_xml_node *o = v2v_xml_child (first, UNATTEND_NS, "Order");
    CLEANUP_FREE char *other = o != NULL ? v2v_xml_text (o) : NULL;

    if (other != NULL && strcmp (order, other) == 0)
      return true;
  }
  return false;
}

/* The elements below PARENT, whose path is PATH; depth is bounded by the
 * parser. */
static int
check_elements (struct check *c, const struct v2v_xml_node *parent,
                const char *path, struct v2v_error **err)
{
  const struct v2v_xml_node *n;
  unsigned nr_items = 0;

  V2V_XML_EACH (n, parent)
  {
    char deeper[MAX_PATH_LEN];
    const struct rule *r;
    const char *why;

    if (snprintf (deeper, sizeof deeper, "%s%s%s", path, *path ? "/" : "",
                  v2v_xml_name (n)) >= (int) sizeof deeper)
      return refuse (c, n, "nested deeper than an answer file is", err);
    r = strcmp (v2v_xml_ns (n), UNATTEND_NS) == 0 ? find_rule (c, deeper)
                                                  : NULL;
    if (r == NULL) {
      if (note (c, n, "this element is not known and was not checked", err) ==
          -1)
        return -1;
      continue;
    }
    if (r->type != ITEM && is_repeated (v2v_xml_first (parent), n))
      return refuse (c, n, "is there twice", err);
    if (r->type == ITEM && ++nr_items > MAX_ITEMS)
      return refuse (c, n, "more of these than Setup takes (500)", err);
    if (r->type == ITEM && order_is_taken (v2v_xml_first (parent), n))
      return refuse (c, n, "another one has the same Order", err);
    if (r->type == OPEN)
      continue;
    if (r->type == GROUP || r->type == ITEM) {
      if (check_required (c, n, r->required, err) == -1 ||
          check_elements (c, n, deeper, err) == -1)
        return -1;
      continue;
    }
    if (v2v_xml_first (n) != NULL)
      return refuse (c, n, "expected a value, found elements", err);
    {
      CLEANUP_FREE char *text = v2v_xml_text (n);

      if (text == NULL)
        return v2v_fail_nomem (err);
      why = check_value (r, text);
      explicit_bzero (text, strlen (text));
    }
    if (why != NULL)
      return refuse (c, n, why, err);
  }
  return 0;
}

/* Is WORD one of LIST's, between blanks? */
static bool
has_word (const char *list, const char *word)
{
  const size_t n = strlen (word);

  for (const char *p = list; *p != '\0';) {
    const size_t len = strcspn (p, " ");

    if (len == n && memcmp (p, word, n) == 0)
      return true;
    p += len;
    p += strspn (p, " ");
  }
  return false;
}

/* Setup passes over what is in a pass that its element does not know: no
 * error, and no effect. */
static int
check_passes (struct check *c, const struct v2v_xml_node *component,
              struct v2v_error **err)
{
  const struct v2v_xml_node *n;

  V2V_XML_EACH (n, component)
  for (size_t i = 0; i < V2V_ARRAY_SIZE (valid_passes); ++i) {
    CLEANUP_FREE char *why = NULL;

    if (strcmp (valid_passes[i].component, c->component) != 0 ||
        (valid_passes[i].element != NULL &&
         strcmp (valid_passes[i].element, v2v_xml_name (n)) != 0) ||
        has_word (valid_passes[i].passes, c->pass))
      continue;
    if (asprintf (&why, "Setup does not look at it in the pass %s, only in: %s",
                  c->pass, valid_passes[i].passes) == -1) {
      why = NULL;
      return v2v_fail_nomem (err);
    }
    if (note (c, n, why, err) == -1)
      return -1;
  }
  return 0;
}

static int
check_component (struct check *c, const struct v2v_xml_node *n,
                 struct v2v_error **err)
{
  static const char *const attributes[] = { "name", "processorArchitecture",
                                            "publicKeyToken", "language",
                                            "versionScope" };
  const struct v2v_xml_node *join;
  const char *arch;

  for (size_t i = 0; i < V2V_ARRAY_SIZE (attributes); ++i)
    if (v2v_xml_attr (n, "", attributes[i]) == NULL)
      return v2v_fail (err, V2V_ERR_USAGE,
                       "%s: line %ld: component: the attribute %s is missing",
                       c->name, v2v_xml_line (n), attributes[i]);
  arch = v2v_xml_attr (n, "", "processorArchitecture");
  if (c->arch != NULL && strcmp (arch, c->arch) != 0 &&
      note (c, n,
            "Setup ignores this component: it is for another "
            "processor architecture",
            err) == -1)
    return -1;
  c->component = v2v_xml_attr (n, "", "name");
  c->rules = NULL;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (components); ++i)
    if (strcmp (components[i].name, c->component) == 0)
      c->rules = components[i].rules;
  if (c->rules == NULL)
    return note (c, n, "this component is not known and was not checked", err);
  if (check_passes (c, n, err) == -1)
    return -1;
  join = v2v_xml_child (n, UNATTEND_NS, "Identification");
  if (join != NULL && v2v_xml_child (join, UNATTEND_NS, "JoinDomain") != NULL &&
      v2v_xml_child (join, UNATTEND_NS, "JoinWorkgroup") != NULL)
    return refuse (c, join, "expected one of JoinDomain and JoinWorkgroup",
                   err);
  return check_elements (c, n, "", err);
}

static bool
same_attr (const struct v2v_xml_node *a, const struct v2v_xml_node *b,
           const char *name)
{
  const char *x = v2v_xml_attr (a, "", name), *y = v2v_xml_attr (b, "", name);

  return x != NULL && y != NULL && strcmp (x, y) == 0;
}

static int
check_settings (struct check *c, const struct v2v_xml_node *settings,
                struct v2v_error **err)
{
  const char *pass = v2v_xml_attr (settings, "", "pass");
  const struct v2v_xml_node *n, *other;
  bool known = false;

  for (size_t i = 0; pass != NULL && i < V2V_ARRAY_SIZE (passes); ++i)
    known |= strcmp (passes[i], pass) == 0;
  if (!known)
    return refuse (c, settings, "the attribute pass is missing or names none",
                   err);
  c->pass = pass;
  for (size_t i = 0; i < V2V_ARRAY_SIZE (past); ++i)
    if (strcmp (past[i], pass) == 0 &&
        note (c, settings,
              "this pass is over when a generalized image starts: what is in "
              "it has no effect",
              err) == -1)
      return -1;
  V2V_XML_EACH (n, settings)
  {
    if (!v2v_xml_is (n, UNATTEND_NS, "component"))
      return refuse (c, n, "expected component", err);
    V2V_XML_EACH (other, settings)
    {
      if (other == n)
        break;
      if (same_attr (n, other, "name") &&
          same_attr (n, other, "processorArchitecture"))
        return refuse (c, n, "the same component is there twice", err);
    }
    if (check_component (c, n, err) == -1)
      return -1;
  }
  return 0;
}

int
unattend_check (const struct v2v_xml *doc, const char *name, const char *arch,
                struct v2v_findings *f, struct v2v_error **err)
{
  struct check c = { .name = name, .arch = arch, .f = f };
  const struct v2v_xml_node *root = v2v_xml_root (doc), *n, *other;

  if (!v2v_xml_is (root, UNATTEND_NS, "unattend"))
    return refuse (&c, root, "expected unattend in " UNATTEND_NS, err);
  V2V_XML_EACH (n, root)
  {
    if (strcmp (v2v_xml_ns (n), UNATTEND_NS) != 0 ||
        strcmp (v2v_xml_name (n), "servicing") == 0)
      continue; /* what the image manager leaves */
    if (strcmp (v2v_xml_name (n), "settings") != 0)
      return refuse (&c, n, "expected settings", err);
    V2V_XML_EACH (other, root)
    {
      if (other == n)
        break;
      if (v2v_xml_is (other, UNATTEND_NS, "settings") &&
          same_attr (n, other, "pass"))
        return refuse (&c, n, "the same pass is there twice", err);
    }
    if (check_settings (&c, n, err) == -1)
      return -1;
  }
  return 0;
}
