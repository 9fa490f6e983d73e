/* See tool_assumed.h. */
#include "tools/tool_assumed.h"

#include <math.h>
#include <string.h>

#include "tools/tool_model.h"
#include "tools/tool_output.h"

/* ", mean .1307,.3" */
static size_t add_list(char *out, size_t used, size_t n, const char *name, const float *values, uint32_t count)
{
    for (uint32_t c = 0; c < count && used < n; c++)
        used += (size_t)snprintf(out + used, n - used, "%s%g", c != 0 ? "," : name, (double)values[c]);
    return used;
}

static void normalization_text(const mst_graph *g, bool real, char *out, size_t n)
{
    const mst_meta *m = &g->meta;
    const char *value = m->prepare.frames != 0 ? "event counts" : "x/255";
    size_t used;
    if (m->n_norm != 0) {
        used = (size_t)snprintf(out, n, "(%s - mean)/std", value);
        used = add_list(out, used, n, ", mean ", m->mean, m->n_norm);
        used = add_list(out, used, n, ", std ", m->std, m->n_norm);
    } else {
        used = (size_t)snprintf(out, n, "%s, no mean and std", value);
    }
    if (real && used < n)
        snprintf(out + used, n - used, "; arrays of floats as they are");
}

static void masks_text(const mst_graph *g, char *out, size_t n)
{
    bool drawn = false, known = true;
    char differ[400];
    static const char *const dropped[MST_N_TRAINED_ON] = {"", ", on whole activations", ", on levels",
                                                          ", on time steps"};
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (!mst_node_thins(&g->nodes[i]))
            continue;
        drawn = true;
        known = known && g->nodes[i].fp[MST_MASK_TRAINED] >= 0;
    }
    if (mst_masks_differ(g, differ, sizeof differ))
        snprintf(out, n, "not those of the training: %s", differ);
    else if (!drawn)
        snprintf(out, n, "none");
    else
        snprintf(out, n, known ? "as trained%s" : "drawn; what the training had is not known",
                 dropped[g->meta.trained_on]);
}

mst_status mst_assumed_make(mst_assumed *a, const mst_graph *g, bool real, mst_arena *arena, mst_err *err)
{
    char text[1024];
    normalization_text(g, real, text, sizeof text);
    a->normalization = mst_arena_strdup(arena, text);
    masks_text(g, text, sizeof text);
    a->masks = mst_arena_strdup(arena, text);
    mst_prepare_text(g, text, sizeof text);
    a->prepare = text[0] != '\0' ? mst_arena_strdup(arena, text) : NULL;
    if (a->normalization == NULL || a->masks == NULL || (text[0] != '\0' && a->prepare == NULL))
        return mst_fail(err, MST_ENOMEM, "out of memory");
    return MST_OK;
}

void mst_assumed_print(const mst_assumed *a, const mst_outcome *o, double analog, FILE *f)
{
    fprintf(f, "input %s", a->normalization);
    if (a->prepare != NULL)
        fprintf(f, "; %s", a->prepare);
    fprintf(f, "\nmasks: %s; %zu of %zu classes seen; %zu files passed over", a->masks, o->classes_seen, o->classes,
            o->n_passed);
    if (!isnan(analog))
        fprintf(f, "; %.1f %% of operations do not spike", 100 * analog);
    fputc('\n', f);
    mst_outcome_print(o, f);
}

json_t *mst_assumed_json(const mst_assumed *a)
{
    return json_pack("{s:o, s:o, s:o}", "normalization", mst_json_text(a->normalization), "prepare",
                     a->prepare != NULL ? mst_json_text(a->prepare) : json_null(), "masks", mst_json_text(a->masks));
}
