"""A traced function as the primitives that every platform has.

Converters to other formats know arithmetic, convolutions and products, but neither JAX's functions
with derivatives of their own nor a choice by platform. Tracing is over once there is a jaxpr, so a
plain walk over its equations can put bodies in place of calls.
"""

import jax
from jax.extend import core

BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")
"""Where calls (jit, custom_jvp_call, custom_vjp_call) keep what they call."""


def evaluate(closed: core.ClosedJaxpr, *arguments) -> list:
    """Runs a jaxpr on arrays or tracers: calls inlined, constants folded, default platform."""
    jaxpr = closed.jaxpr
    values = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom):
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        results = _equation(equation, *map(read, equation.invars))
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _equation(equation, *arguments) -> list:
    primitive, parameters = equation.primitive, equation.params
    concrete = not any(isinstance(a, jax.core.Tracer) for a in arguments)
    if primitive.name == "platform_index":
        return [parameters["platforms"].index(None)]
    if primitive.name == "cond" and not isinstance(arguments[0], jax.core.Tracer):
        return evaluate(parameters["branches"][int(arguments[0])], *arguments[1:])
    for key in BODIES:
        if key in parameters:
            body = parameters[key]
            if not isinstance(body, core.ClosedJaxpr):
                body = core.ClosedJaxpr(body, ())
            return evaluate(body, *arguments)
    if concrete:
        with jax.ensure_compile_time_eval():
            return _bind(primitive, arguments, parameters)
    return _bind(primitive, arguments, parameters)


def _bind(primitive, arguments, parameters) -> list:
    results = primitive.bind(*arguments, **parameters)
    return results if primitive.multiple_results else [results]
