/*
 * Side outputs: students over, of and under 18 go three ways.
 *
 *     kcsim stream run examples/side_output [--input FILE]
 *
 * Lines are NAME,GENDER,AGE.
 */
#include "examples/example.h"

typedef struct {
    st_str name, gender;
    int64_t age;
} student;
ST_TYPE(student, name, gender, age);

ST_TAG(stream_1, st_str);
ST_TAG(stream_2, st_str);

ST_MAP(parse, st_str, student)
{
    st_str parts[3];
    if (st_split(*in, ',', parts, 3) != 3) {
        st_fail(ctx, "not NAME,GENDER,AGE: %.*s", (int)in->size, in->data);
    }
    *out = (student){parts[0], parts[1], example_number(ctx, parts[2])};
}

ST_PROCESS(by_age, student, student)
{
    if (in->age > 18) {
        st_emit(out, in);
    } else if (in->age == 18) {
        st_str line = st_format(ctx, "%.*s:18", (int)in->name.size, in->name.data);
        st_emit_side(ctx, stream_1, &line);
    } else {
        st_emit_side(ctx, stream_2, &in->name);
    }
}

ST_MAP(of_18, st_str, st_str)
{
    *out = st_format(ctx, "side output 1: %.*s", (int)in->size, in->data);
}

ST_MAP(younger, st_str, st_str)
{
    *out = st_format(ctx, "side output 2: %.*s", (int)in->size, in->data);
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *lines = example_lines(env, argc, argv, "tom,m,23\nrose,f,18\njim,m,35\njary,f,13\n");
    st_stream *older = st_process(st_map(lines, parse), by_age);
    st_print(older);
    st_print(st_map(st_side_output(older, stream_1), of_18));
    st_print(st_map(st_side_output(older, stream_2), younger));
    return 0;
}
