/* A stand-in for libnvidia-ml.so.1 with waveforms of known integral and faults on demand.
 *
 * Everything is set by environment variables that begin with JOULEMARK_LAB_ (see nvml.py).
 * Built with: cc -shared -fPIC -O2 -Wl,-soname,libnvidia-ml.so.1 -o libnvidia-ml.so.1 nvml.c -lm
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, NOT_SUPPORTED = 3, GPU_IS_LOST = 15, ARGUMENT = 2 };
typedef struct { unsigned fieldId, scopeId; int64_t stamp, latency; unsigned type, code;
  union { double d; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; } v; } Field;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu, compute; } Process;

static long calls;

/* Each knob is looked up once: what the stand-in costs is no part of what a sampler costs. */
static const char *text(const char *name, const char *otherwise) {
  static struct { const char *name, *value; } known[128];
  for (int i = 0; i < 128; i++) {
    if (known[i].name == name) return known[i].value ? known[i].value : otherwise;
    if (known[i].name) continue;
    char whole[64];
    snprintf(whole, sizeof whole, "JOULEMARK_LAB_%s", name);
    known[i].value = getenv(whole);
    known[i].name = name;
    return known[i].value ? known[i].value : otherwise;
  }
  return otherwise;
}
static double number(const char *name, double otherwise) {
  const char *value = text(name, NULL);
  return value ? atof(value) : otherwise;
}
static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec - number("ORIGIN_S", 0) + 1e-9 * t.tv_nsec;
}
static int fault(const char *name) {
  return !strcmp(text("FAULT", ""), name) && calls > number("FAULT_AFTER_CALLS", 0) &&
         now_s() > number("FAULT_AFTER_S", 0);
}
static int faulty_device(void *handle) {
  return (long)handle - 1 == (long)number("FAULT_DEVICE", 0);
}

/* Integral of the power from 0 to t, and the sensor's view of it. */
static double joules(double t) {
  double high = number("WATTS", 300), low = number("LOW_W", 100), period = number("WAVE_S", 2);
  const char *shape = text("SHAPE", "constant");
  double periods = floor(t / period), phase = t / period - periods, part;
  if (!strcmp(shape, "constant")) return high * t;
  if (!strcmp(shape, "square")) part = phase < 0.5 ? phase : 0.5;
  else if (!strcmp(shape, "ramp")) part = phase * phase / 2;
  else if (!strcmp(shape, "sine")) part = phase / 2 - sin(2 * M_PI * phase) / (4 * M_PI);
  else /* pulse: a fifth of the period */ part = phase < 0.2 ? phase : 0.2;
  double mean = !strcmp(shape, "pulse") ? 0.2 : 0.5;
  return low * t + (high - low) * period * (periods * mean + part);
}
static double updated(double t) {
  double every = number("UPDATE_S", 0.1);
  return floor(t / every) * every;
}
static double shown_joules(void) {
  double t = updated(now_s());
  if (fault("frozen")) t = 1;
  double shown = number("GAIN", 1) * joules(t) + number("OFFSET_W", 0) * t;
  if (fault("reset")) return number("GAIN", 1) * (joules(t) - joules(number("FAULT_AFTER_S", 0)));
  return shown + number("COUNTER_START_J", 5000);
}
static double shown_watts(double window) {
  double end = updated(now_s());
  if (fault("frozen")) end = 1;
  double mean = (joules(end) - joules(end - window)) / window;
  double flicker = fault("frozen") ? 0 : 0.002 * sin(1000 * end);
  return number("GAIN", 1) * mean + number("OFFSET_W", 0) + flicker;
}

static int trouble(void *handle) {
  calls++;
  if (!faulty_device(handle)) return OK;
  if (fault("lost")) return GPU_IS_LOST;
  if (fault("not_supported")) return NOT_SUPPORTED;
  return OK;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return OK; }
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = number("GPUS", 1); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  if (index >= number("GPUS", 1)) return ARGUMENT;
  *handle = (void *)(long)(index + 1);
  return OK;
}
int nvmlDeviceGetIndex(void *handle, unsigned *index) { *index = (long)handle - 1; return OK; }
int nvmlDeviceGetName(void *handle, char *out, unsigned size) {
  (void)handle;
  snprintf(out, size, "%s", text("NAME", "NVIDIA Lab 100"));
  return OK;
}
int nvmlDeviceGetUUID(void *handle, char *out, unsigned size) {
  snprintf(out, size, "GPU-0000000%ld-1111-2222-3333-444444444444", (long)handle - 1);
  return OK;
}
int nvmlSystemGetDriverVersion(char *out, unsigned size) {
  snprintf(out, size, "999.01");
  return OK;
}
int nvmlDeviceGetArchitecture(void *handle, unsigned *out) {
  (void)handle;
  *out = number("ARCHITECTURE", 7);
  return OK;
}
int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *next) {
  (void)handle;
  *now = *next = number("MIG", 0);
  return OK;
}
int nvmlDeviceGetVirtualizationMode(void *handle, unsigned *mode) {
  (void)handle;
  *mode = number("VIRTUALIZATION", 0);
  return OK;
}
int nvmlDeviceGetPowerManagementLimitConstraints(void *handle, unsigned *least, unsigned *most) {
  (void)handle;
  *least = 100000;
  *most = 1000 * number("LIMIT_W", 400);
  return OK;
}
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *out) {
  (void)handle;
  *out = 1000 * number("LIMIT_W", 400);
  return OK;
}
int nvmlDeviceGetPowerManagementLimit(void *handle, unsigned *out) {
  return nvmlDeviceGetEnforcedPowerLimit(handle, out);
}
int nvmlDeviceGetPowerManagementDefaultLimit(void *handle, unsigned *out) {
  return nvmlDeviceGetEnforcedPowerLimit(handle, out);
}
int nvmlDeviceGetPersistenceMode(void *handle, unsigned *on) { (void)handle; *on = 1; return OK; }
int nvmlDeviceGetClockInfo(void *handle, unsigned kind, unsigned *mhz) {
  (void)handle;
  *mhz = kind == 1 ? 1410 : 1593;
  return OK;
}
int nvmlDeviceGetMaxClockInfo(void *handle, unsigned kind, unsigned *mhz) {
  return nvmlDeviceGetClockInfo(handle, kind, mhz);
}
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 13000; return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return OK; }
int nvmlDeviceGetComputeMode(void *handle, unsigned *mode) { (void)handle; *mode = 0; return OK; }
int nvmlDeviceGetTemperature(void *handle, unsigned kind, unsigned *out) {
  (void)handle;
  (void)kind;
  *out = 55;
  return OK;
}
int nvmlDeviceGetUtilizationRates(void *handle, unsigned *out) {
  (void)handle;
  out[0] = 90;
  out[1] = 40;
  return OK;
}
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *out) {
  (void)handle;
  out[0] = 80ULL << 30;
  out[1] = 70ULL << 30;
  out[2] = 10ULL << 30;
  return OK;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *out) {
  (void)handle;
  *out = number("THROTTLE", 0);
  return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, Process *out) {
  (void)handle;
  unsigned there = number("PROCESSES", 0);
  if (!there) { *count = 0; return OK; }
  if (!out || *count < there) { *count = there; return 7; /* insufficient size */ }
  for (unsigned i = 0; i < there; i++) out[i] = (Process){1 + i, 1 << 20, ~0u, ~0u};
  *count = there;
  return OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, Process *out) {
  (void)handle;
  unsigned there = number("GRAPHICS", 0);
  if (!there) { *count = 0; return OK; }
  if (!out || *count < there) { *count = there; return 7; /* insufficient size */ }
  for (unsigned i = 0; i < there; i++) out[i] = (Process){2 + i, 1 << 20, ~0u, ~0u};
  *count = there;
  return OK;
}
int nvmlDeviceGetApplicationsClock(void *handle, unsigned kind, unsigned *mhz) {
  (void)handle;
  if (kind != 1) return NOT_SUPPORTED;
  *mhz = number("APPLICATION_MHZ", 1410);
  return OK;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *out) {
  int code = trouble(handle);
  if (!code) *out = lround(1000 * shown_watts(number("WINDOW_S", 0.1)));
  return code;
}
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *out) {
  int code = trouble(handle);
  if (!code && number("NO_COUNTER", 0)) code = NOT_SUPPORTED;
  if (!code) *out = 1000 * shown_joules();
  return code;
}
static void answer(Field *field) {
  double window = number("WINDOW_S", 0.1);
  field->code = OK;
  field->type = 1;
  if (field->fieldId == 83 && field->scopeId == 0 && !number("NO_COUNTER", 0)) {
    field->type = 3;
    field->v.ull = 1000 * shown_joules() * number("COUNTER_SHARE", 1);
  } else if (field->fieldId == 186 && field->scopeId == 0) {
    field->v.ui = lround(1000 * shown_watts(window));
  } else if (field->fieldId == 185 && field->scopeId == 0) {
    field->v.ui = lround(1000 * shown_watts(1.0));
  } else if (field->fieldId == 186 && field->scopeId == 1 && number("MODULE", 0)) {
    field->v.ui = lround(1000 * 1.5 * shown_watts(window));
  } else {
    field->code = NOT_SUPPORTED;
  }
}
int nvmlDeviceGetFieldValues(void *handle, int count, Field *fields) {
  int code = trouble(handle);
  if (code) return code;
  if (number("NO_FIELDS", 0)) return NOT_SUPPORTED;
  for (int i = 0; i < count; i++) answer(&fields[i]);
  return OK;
}
