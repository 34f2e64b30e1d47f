// What top-k, top-p and min-p leave of a row. Each keeps a beginning of the tokens in the order
// "larger logit first, of equals the lower id"; so together they keep a beginning, and a Cut says
// where it ends.
#pragma once
#include "rows.cuh"

namespace slm {

struct Cut {
  float lowest;  // logits below are dropped
  i32 last;      // of those equal to `lowest`, ids after this one too
  float top;     // the largest logit of the row
  float least;   // weights below are dropped
};

SLM_DEVICE bool survives(const Cut& c, float x, int token, float scale) {
  if (!(x > c.lowest || (x == c.lowest && token <= c.last))) return false;
  return !(c.least > 0.0f) || weight(x, c.top, scale) >= c.least;
}

}  // namespace slm
