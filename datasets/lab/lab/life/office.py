"""People at their desks and what they use: web, mail, files, printers, telephones, databases."""
