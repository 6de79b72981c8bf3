"""The routes of REST, a module a subject of talk. Each only calls the studio's verbs. No torch."""
