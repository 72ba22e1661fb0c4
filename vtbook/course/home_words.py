"""The words of the start page's cards, in English and Portuguese."""

from __future__ import annotations

WORDS = {
    "en": {
        "begin": "Begin with",
        "continue": "Continue where you were:",
        "read": "Read",
        "go_on": "Go on reading",
        "again": "Read again",
        "exercises": "Exercises",
        "minutes": "{count} minutes",
        "needs": "needs {needs}",
        "cells": "{run} of {cells} cells run",
        "solved": "{solved} of {exercises} exercises, {earned} of {points} points",
        "checking": "Checking this computer …",
        "ready": "This computer can run the book.",
        "broken": "Something that the book needs is missing on this computer.",
        "missing": "Missing, and how to get it ({count})",
    },
    "pt": {
        "begin": "Comece por",
        "continue": "Continue de onde parou:",
        "read": "Ler",
        "go_on": "Continuar a leitura",
        "again": "Ler de novo",
        "exercises": "Exercícios",
        "minutes": "{count} minutos",
        "needs": "requer {needs}",
        "cells": "{run} de {cells} células executadas",
        "solved": "{solved} de {exercises} exercícios, {earned} de {points} pontos",
        "checking": "Verificando este computador …",
        "ready": "Este computador pode executar o livro.",
        "broken": "Falta neste computador algo de que o livro precisa.",
        "missing": "O que falta e como obter ({count})",
    },
}


def count(words: dict[str, str], key: str, number: int) -> str:
    """A word with its number."""
    return words[key].format(count=number)
