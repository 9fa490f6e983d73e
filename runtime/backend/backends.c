/* The table of back ends. */
#include "runtime/backend/backend.h"

const rt_backend *const rt_backends[] = {&rt_backend_cpu, NULL};
