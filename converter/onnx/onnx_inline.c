/* Local functions (FunctionProto): each call is replaced by the body, with its
 * values renamed, its attribute references substituted. Must not know what the
 * operators inside mean.
 */
#include <string.h>

#include "converter/onnx/onnx_import.h"

/* Fields that are newer than ONNX 1.12: unknown ones where this is built with such a schema, members of structures
 * where it is newer. Their numbers find both. */
enum { NODE_OVERLOAD = 8,
       FUNCTION_DEFAULT = 11,
       FUNCTION_OVERLOAD = 13 };

/* The content of a length-delimited unknown field; false for another wire type. */
static bool unknown_content(const ProtobufCMessageUnknownField *u, const uint8_t **data, size_t *len)
{
    if (u->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return false;
    size_t at = 0; /* the guard has checked that the length ends and fits */
    while (at < u->len && (u->data[at] & 0x80) != 0)
        at++;
    if (at >= u->len)
        return false;
    *data = u->data + at + 1;
    *len = u->len - at - 1;
    return true;
}

/* The member of a field that the schema has, NULL where it has none; quantifier: how many of a repeated one. */
static const void *member_of(const ProtobufCMessage *m, uint32_t tag, bool quantifier)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(m->descriptor, tag);
    return f == NULL ? NULL : (const uint8_t *)m + (quantifier ? f->quantifier_offset : f->offset);
}

static void newer_text(const ProtobufCMessage *m, uint32_t tag, const char **text, size_t *len)
{
    const char *const *known = member_of(m, tag, false);
    *text = known != NULL ? ox_text(*known) : "";
    *len = strlen(*text);
    for (unsigned i = 0; i < m->n_unknown_fields; i++) {
        const uint8_t *data;
        if (m->unknown_fields[i].tag == tag && unknown_content(&m->unknown_fields[i], &data, len))
            *text = (const char *)data;
    }
}

/* domain, name and overload as one string, in the arena. */
static mst_status function_key(ox_import *c, const char *domain, const char *name, const ProtobufCMessage *m,
                               uint32_t overload_tag, char **key)
{
    const char *overload;
    size_t len;
    newer_text(m, overload_tag, &overload, &len);
    if (len > 1000)
        return mst_fail(c->err, MST_ELIMIT, "function '%s': an overload name of %zu bytes", name, len);
    c->asked = strlen(domain) + strlen(name) + len + 3;
    *key = mst_arena_printf(&c->g->arena, "%s\x1f%s\x1f%.*s", domain, name, (int)len, overload);
    return *key != NULL ? MST_OK : ox_no_memory(c);
}

mst_status ox_register_functions(ox_import *c)
{
    for (size_t i = 0; i < c->model->n_functions; i++) {
        const Onnx__FunctionProto *f = c->model->functions[i];
        char *key;
        MST_TRY(function_key(c, ox_domain(f->domain), ox_text(f->name), &f->base, FUNCTION_OVERLOAD, &key));
        if (ox_names_find(&c->names, OX_SCOPE_FUNCTIONS, key) != NULL)
            return mst_fail(c->err, MST_ECORRUPT, "function '%s' is defined twice", ox_text(f->name));
        if (ox_names_add(&c->names, OX_SCOPE_FUNCTIONS, key, (uint32_t)i) == NULL)
            return mst_fail(c->err, MST_ENOMEM, "out of memory for the table of names");
    }
    return MST_OK;
}

mst_status ox_find_function(ox_import *c, const Onnx__NodeProto *p, const Onnx__FunctionProto **fn)
{
    *fn = NULL;
    if (c->model->n_functions == 0)
        return MST_OK;
    char *key;
    MST_TRY(function_key(c, ox_domain(p->domain), ox_text(p->op_type), &p->base, NODE_OVERLOAD, &key));
    const ox_name *known = ox_names_find(&c->names, OX_SCOPE_FUNCTIONS, key);
    if (known != NULL)
        *fn = c->model->functions[known->id];
    return MST_OK;
}

static mst_status check_call(ox_import *c, const ox_scope *s, const Onnx__FunctionProto *fn,
                             const ox_node *call)
{
    if (call->n_in > fn->n_input || call->n_out > fn->n_output)
        return mst_fail(c->err, MST_ECORRUPT, "%u inputs and %u outputs, the function has %zu and %zu",
                        call->n_in, call->n_out, fn->n_input, fn->n_output);
    for (const ox_scope *up = s; up != NULL; up = up->parent)
        if (up->fn == fn)
            return mst_fail(c->err, MST_ECORRUPT, "the function calls itself");
    if (s->depth >= OX_MAX_FUNCTION_DEPTH)
        return mst_fail(c->err, MST_ELIMIT, "functions nested deeper than %u", OX_MAX_FUNCTION_DEPTH);
    for (size_t i = 0; i < fn->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = fn->opset_import[i];
        if (ox_domain(o->domain)[0] == '\0' && o->version != c->g->opset)
            return mst_fail(c->err, MST_EUNSUPPORTED,
                            "the function is written for opset %lld of ai.onnx, the model "
                            "for %lld: export again with one opset, or with functions inlined",
                            (long long)o->version, (long long)c->g->opset);
    }
    return MST_OK;
}

/* Default of an argument, added to the call's if that leaves it out. */
static mst_status add_default(ox_import *c, const Onnx__AttributeProto *p, ox_scope *in, ox_attr *args)
{
    bool present = false;
    for (uint32_t i = 0; i < in->n_args; i++)
        if (strcmp(args[i].name, ox_text(p->name)) == 0)
            return MST_OK;
    mst_status st = ox_decode_attr(c, in->parent, p, &args[in->n_args], &present);
    in->n_args += present;
    return st;
}

/* One that has arrived as bytes. */
static mst_status unpack_default(ox_import *c, const uint8_t *data, size_t len, ox_scope *in, ox_attr *args)
{
    ox_guard seen;
    ProtobufCMessage *m = NULL;
    MST_TRY(ox_unpack(c->pool, data, len, &onnx__attribute_proto__descriptor, &seen, &m, c->err));
    mst_status st = add_default(c, (const Onnx__AttributeProto *)m, in, args);
    protobuf_c_message_free_unpacked(m, &c->pool->pb);
    return st;
}

static size_t known_defaults(const Onnx__FunctionProto *fn, Onnx__AttributeProto *const **list)
{
    const size_t *n = member_of(&fn->base, FUNCTION_DEFAULT, true);
    if (n != NULL)
        *list = *(Onnx__AttributeProto *const *const *)member_of(&fn->base, FUNCTION_DEFAULT, false);
    return n != NULL ? *n : 0;
}

static mst_status bind_arguments(ox_import *c, const Onnx__FunctionProto *fn, const ox_node *call,
                                 ox_scope *in)
{
    Onnx__AttributeProto *const *known = NULL;
    const size_t n_known = known_defaults(fn, &known);
    size_t n = call->n_attr + n_known;
    for (unsigned i = 0; i < fn->base.n_unknown_fields; i++)
        n += fn->base.unknown_fields[i].tag == FUNCTION_DEFAULT;
    if (n > 2 * OX_MAX_ATTRS)
        return mst_fail(c->err, MST_ELIMIT, "more than %u arguments", 2 * OX_MAX_ATTRS);
    ox_attr *args = ox_new(c, n, sizeof *args);
    if (args == NULL)
        return ox_no_memory(c);
    if (call->n_attr != 0)
        memcpy(args, call->attrs, call->n_attr * sizeof *args);
    in->args = args;
    in->n_args = call->n_attr;
    for (size_t i = 0; i < n_known; i++)
        MST_TRY(add_default(c, known[i], in, args));
    for (unsigned i = 0; i < fn->base.n_unknown_fields; i++) {
        const uint8_t *data;
        size_t len;
        if (fn->base.unknown_fields[i].tag == FUNCTION_DEFAULT &&
            unknown_content(&fn->base.unknown_fields[i], &data, &len))
            MST_TRY(unpack_default(c, data, len, in, args));
    }
    return MST_OK;
}

static mst_status bind_name(ox_import *c, const ox_scope *in, const char *name, uint32_t id, bool pending)
{
    MST_TRY(ox_charge(c, 2 + strlen(name) / 16));
    if (ox_names_find(&c->names, in->id, name) != NULL)
        return mst_fail(c->err, MST_ECORRUPT, "the function has two parameters '%s'", name);
    ox_name *n = ox_names_add(&c->names, in->id, name, id);
    if (n == NULL)
        return mst_fail(c->err, MST_ENOMEM, "out of memory for the table of names");
    n->pending = pending;
    return MST_OK;
}

/* An output that is an input: the caller's two values stay apart. */
static mst_status pass_through(ox_import *c, const ox_scope *in, uint32_t from, uint32_t to)
{
    if (from == OX_NONE)
        return mst_fail(c->err, MST_ECORRUPT, "an output is an input that the call leaves out");
    ox_node node = {.op = "Identity", .domain = "", .n_in = 1, .n_out = 1};
    c->asked = strlen(in->prefix) + 32;
    node.name = mst_arena_printf(&c->g->arena, "%sIdentity", in->prefix);
    node.in = mst_arena_copy(&c->g->arena, &from, sizeof from);
    node.out = mst_arena_copy(&c->g->arena, &to, sizeof to);
    if (node.name == NULL || node.in == NULL || node.out == NULL)
        return ox_no_memory(c);
    return ox_emit(c, &node);
}

static mst_status bind_parameters(ox_import *c, const Onnx__FunctionProto *fn, const ox_node *call,
                                  const ox_scope *in)
{
    for (size_t i = 0; i < fn->n_input; i++)
        MST_TRY(bind_name(c, in, ox_text(fn->input[i]), i < call->n_in ? call->in[i] : OX_NONE, false));
    for (size_t i = 0; i < call->n_out; i++) {
        if (call->out[i] == OX_NONE)
            continue; /* the body's node makes a value of its own, that nobody takes */
        const ox_name *known = ox_names_find(&c->names, in->id, ox_text(fn->output[i]));
        if (known != NULL && !known->pending)
            MST_TRY(pass_through(c, in, known->id, call->out[i]));
        else
            MST_TRY(bind_name(c, in, ox_text(fn->output[i]), call->out[i], true));
    }
    return MST_OK;
}

mst_status ox_inline_call(ox_import *c, const ox_scope *s, const Onnx__FunctionProto *fn, const ox_node *call)
{
    ox_scope in = {.id = c->n_scopes, .depth = s->depth + 1, .fn = fn, .parent = s};
    Onnx__AttributeProto *const *defaults;
    mst_status st = ox_charge(c, 1 + fn->n_input + fn->n_output + known_defaults(fn, &defaults) +
                                     fn->base.n_unknown_fields);
    if (st == MST_OK)
        st = check_call(c, s, fn, call);
    if (st != MST_OK)
        goto fail;
    c->n_scopes++;
    c->asked = strlen(call->name) + 2;
    in.prefix = mst_arena_printf(&c->g->arena, "%s/", call->name);
    st = in.prefix != NULL ? bind_arguments(c, fn, call, &in) : ox_no_memory(c);
    if (st == MST_OK)
        st = bind_parameters(c, fn, call, &in);
    if (st != MST_OK)
        goto fail;
    MST_TRY(ox_decode_body(c, &in, fn->n_node, fn->node)); /* its errors name the node inside */
    for (size_t i = 0; i < call->n_out; i++) {
        const ox_name *made = ox_names_find(&c->names, in.id, ox_text(fn->output[i]));
        if (call->out[i] != OX_NONE && (made == NULL || made->pending)) {
            st = mst_fail(c->err, MST_ECORRUPT, "no node of the function makes its output '%s'",
                          ox_text(fn->output[i]));
            goto fail;
        }
    }
    return MST_OK;
fail:
    return mst_fail_in(c->err, st, "node '%s' (function %s): ", call->name, ox_text(fn->name));
}
