"""What an assistant says, for benchmarks that listen to it: plain sentences, numbers, lists, names, short and long."""

from typing import Final

TEXTS: Final = (
    "Once upon a time, in a small village by the sea, there lived an old fisherman who had three daughters. "
    "The eldest was clever, the second was brave, and the youngest, well, she asked a great many questions. "
    "Every morning they walked to the harbour; every evening they counted the boats: one, two, three.",
    "The train leaves at 10:30 from platform 4, and it arrives at about a quarter past two. A single ticket "
    "costs 27 euros; a return is 49. If you book online before Friday, you save 15 percent. The last train "
    "back is at 21:05.",
    "Sure, I can help with that. First, open the settings and choose notifications. Then scroll down until you"
    " see the section called privacy. If it doesn't appear, your account may need an administrator's "
    "permission, which is unfortunately quite common. Would you like me to explain how permissions work?",
    "Photosynthesis is the process by which green plants turn light into chemical energy. It takes place "
    "mainly in the leaves, where chlorophyll absorbs red and blue light. Carbon dioxide enters through tiny "
    "pores, and water rises from the roots. The products are glucose and oxygen.",
    "To make a simple soup, chop two onions and fry them gently in butter. Add a litre of stock, four "
    "potatoes, and a pinch of salt. Simmer for twenty minutes; then blend until smooth. Season to taste, stir "
    "in some cream, and serve with bread.",
    "No. I don't think so. Let me check. Yes, you are right: the meeting was moved to Thursday. Sorry about "
    "that! It is in room 12, on the second floor. Shall I tell the others? I could also send them the new "
    "agenda, if you like.",
    "Dr. Smith said that NASA launched 3 rockets in 1969, which cost 355 million dollars. Water boils at 100 "
    "degrees Celsius, that is 212 degrees Fahrenheit. The distance from the Earth to the Moon is about 384,400"
    " kilometres.",
    "There are three reasons why this happens. The first is simple: nobody reads the manual. The second is "
    "that the manual is wrong. And the third, which people rarely mention, is that both of these have been "
    "true for so long that everybody has learned to live with it.",
    "Right, so here is what I would do in your place. Call the insurance company before noon, tell them "
    "exactly what you told me, and ask for the name of the person you speak to. Write it down. Then take "
    "photographs of the damage, from every side, and keep all the receipts.",
    "In the north it will be cloudy with some rain, clearing towards the evening. Temperatures between eleven "
    "and fourteen degrees. In the south, sunshine and a light breeze from the west. Tomorrow will be warmer "
    "everywhere, but thunderstorms are possible in the mountains.",
)
