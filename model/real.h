/* The number that the model computes in: float in the library, double where gradients are checked
 * against finite differences (the same sources, compiled with CHIRR_REAL_DOUBLE). */
#ifndef CHIRR_MODEL_REAL_H
#define CHIRR_MODEL_REAL_H

#ifdef CHIRR_REAL_DOUBLE
typedef double chirr_real;
#else
typedef float chirr_real;
#endif

#define CHIRR_REAL(x) ((chirr_real)(x))

#endif
