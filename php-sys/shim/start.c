/* Start and end of PHP in this process. */
#include "fpmd_php.h"
