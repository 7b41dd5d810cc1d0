/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Depositing a result folder. */

#include <config.h>

#include "library/deposit.h"
