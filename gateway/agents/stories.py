"""The stories the offline agent tells: plain words, more than a minute each when spoken."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Story:
    """One story, long and short. ``title`` occurs in no other text, so that a telling can be recognised."""

    subject: str
    """What it is about, to be read after "a story about": ``the sea``."""

    title: str
    keywords: frozenset[str]
    """Words a listener may use to ask for it, lower case."""

    text: str
    short: str


_SEA: Final = Story(
    subject="the sea",
    title="The Keeper of the Light",
    keywords=frozenset({"sea", "ocean", "ship", "ships", "boat", "water", "lighthouse", "sailor", "beach", "waves"}),
    text=(
        "Far out in the north, where the land ends and the cold sea begins, there stood a tall white lighthouse. "
        "An old woman lived in it, and her name was Marta. "
        "Every evening, when the sun went down, she climbed the long stairs, one hundred and twelve steps, "
        "and lit the great lamp at the top. "
        "She had done this for forty years, and in all that time the lamp had never gone out. "
        "One night in autumn a storm came in from the west. "
        "The wind pulled at the windows, the rain beat on the stones, and the waves were as high as houses. "
        "Marta sat beside her lamp, drank a cup of tea, and listened. "
        "Then, a little after midnight, the glass broke, and the wind blew the flame out. "
        "It was dark, darker than she had ever seen it, and somewhere out there a ship was calling with its horn. "
        "Marta did not lose a moment. "
        "She ran down the stairs, took the old brass bell from the wall, and carried it out into the rain. "
        "She rang it, slowly and steadily, three times and then a pause, three times and then a pause, "
        "until her arms were sore. "
        "On the ship the captain heard the bell, turned his wheel hard to the left, "
        "and saw the black rocks go past, so near that he could have touched them. "
        "In the morning the sea was flat and blue, as if nothing had happened. "
        "The captain came ashore with bread, coffee, and a new pane of glass, and he stayed for breakfast. "
        "Since that day the bell hangs at the top of the tower, right beside the lamp, "
        "and every ship that passes by rings three times, to say good evening."
    ),
    short=(
        "One night a storm blew out the lamp of a lighthouse. The old keeper took a bell out into the rain, "
        "and rang it until a lost ship had found its way past the rocks."
    ),
)

_MOUNTAINS: Final = Story(
    subject="the mountains",
    title="The Last Letter of the Winter",
    keywords=frozenset({"mountain", "mountains", "hill", "hills", "snow", "alps", "climb", "climbing", "winter"}),
    text=(
        "High up in the mountains, above the last trees, there is a small village with eleven houses and one shop. "
        "No road goes there, only a narrow path, and in winter the snow covers even that. "
        "The man who brought the letters was called Jonas, and he had walked that path more than a thousand times. "
        "He knew every stone, every bridge, and every goat. "
        "One day in December he had only a single letter in his bag. "
        "The sky was grey, the air smelled of snow, and people in the valley told him to wait until spring. "
        "But the letter was for a little girl called Lena, and it came from her father, who worked far away. "
        "So Jonas tied his boots, put some bread in his pocket, and began to walk. "
        "By noon the first flakes were falling, and by two o'clock he could not see his own feet. "
        "He counted his steps, he sang all the songs he knew, and when he had no songs left, "
        "he made up new ones about cheese. "
        "Up in the village Lena heard something strange in the wind, a voice, singing about cheese. "
        "She woke her grandmother, and her grandmother woke the neighbours, "
        "and soon eleven lamps stood in eleven windows. "
        "Jonas saw the lights, first one, then three, then all of them, and he knew where he was. "
        "They gave him soup, and dry socks, and the warmest chair beside the stove. "
        "Then Lena opened her letter and read it aloud to everybody. "
        "It was very short. It said that her father was already on his way home, "
        "and that somebody should please tell Jonas not to go out in such bad weather."
    ),
    short=(
        "A postman walked up through a snowstorm to bring one letter to a girl in a mountain village. He got lost, "
        "and sang, and the people heard him and put lamps in all their windows, so that he found the way."
    ),
)

_TRAIN: Final = Story(
    subject="a night train",
    title="Carriage Number Nine",
    keywords=frozenset({"train", "trains", "railway", "station", "travel", "journey", "night"}),
    text=(
        "The night train to the south left at ten minutes past nine, and it was never late. "
        "In carriage number nine there worked a young man called Emil, who made the beds and carried the tea. "
        "He liked the work, because at night people tell the truth, and Emil was a good listener. "
        "One evening in spring an old lady came on board with a very large box, tied up with green string. "
        "She would not let anybody touch it, and she would not say what was inside. "
        "The train rolled out of the city, past the gardens and the dark factories, and people went to sleep. "
        "Only Emil was awake, and so, it seemed, was the box. "
        "Something in it was knocking, softly, and then it stopped, and then it was knocking again. "
        "Emil sat down beside it and knocked back, two times. "
        "For a while there was silence, and then, from inside, there came two knocks in return. "
        "At the border the policemen came, with their lamps and their heavy shoes, "
        "and they wanted to know what was in the box. "
        "The old lady turned pale. Emil opened his mouth, and without thinking he said that it was his clock, "
        "a very old clock, which he was bringing to his mother. "
        "The box ticked, at just the right moment, and the policemen went away. "
        "When the sun came up over the hills, the old lady untied the green string. "
        "In the box sat a parrot, grey and very dignified, who looked at Emil, "
        "knocked twice on the wood, and said tick, tock, thank you, young man. "
        "Emil still works on the night train, and every spring he gets a postcard, signed with a single grey feather."
    ),
    short=(
        "On a night train an old lady had a box that knocked. The man who carried the tea told the police that it was "
        "a clock, and the box ticked. In it sat a clever parrot, who thanked him in the morning."
    ),
)

_FOREST: Final = Story(
    subject="the forest",
    title="The Clock in the Oak",
    keywords=frozenset({"forest", "wood", "woods", "tree", "trees", "animal", "animals", "bird", "birds", "fox"}),
    text=(
        "In the middle of a deep forest there was an oak tree, so old that nobody knew who had planted it. "
        "One summer a clockmaker came past, sat down in its shade, and fell asleep, "
        "and when he went home he forgot his best pocket watch. "
        "A squirrel found it first. She thought it was a nut, and bit it, and was very disappointed. "
        "She put it in a hole in the trunk, and there it stayed, and there it ticked. "
        "The next morning the fox came by and heard the sound. "
        "He asked the owl what it was, because the owl was old, and knew nearly everything. "
        "The owl listened for a long time, with one eye closed, "
        "and then she said that the tree had got a heart. "
        "The news went through the forest faster than the wind. "
        "The deer came to hear it, and the rabbits, and the hedgehog, who was always the last. "
        "They sat around the tree in a circle, and it was so quiet that they could all hear the ticking. "
        "Nobody chased anybody, and nobody was afraid, and they all came again on the next day. "
        "But a watch must be wound, and on the third evening it went slower, and slower, and then it stopped. "
        "The animals were sad, and they thought that the tree had died. "
        "Only the squirrel, who knew the hole, climbed up and looked, and gave the thing an angry shake. "
        "Her paw caught the little wheel at the side, the wheel turned, and the ticking began again. "
        "Since then she winds it every evening, and tells nobody. "
        "And the clockmaker, who came back in the autumn to look for his watch, heard it from far away, "
        "saw them all sitting there together, and walked home without it, smiling."
    ),
    short=(
        "A clockmaker forgot his watch in an oak tree, and the animals thought that the tree had a heart. "
        "They sat around it in peace, and the squirrel, who knew better, winds it every evening."
    ),
)

_CITY: Final = Story(
    subject="the city",
    title="The Baker Who Could Not Sleep",
    keywords=frozenset({"city", "town", "street", "baker", "bread", "people", "house", "kitchen", "food"}),
    text=(
        "In a narrow street in the oldest part of the city there was a bakery with a blue door. "
        "The baker was called Rosa, and she made good bread, but she had one problem, she could not sleep. "
        "Every night she lay in her bed, looked at the ceiling, and heard the bells, one o'clock, two o'clock, three. "
        "One night she had had enough. "
        "She put on her coat, went down to the bakery, and baked a bread just for herself, round and small, "
        "with honey and a little salt. "
        "The smell went out of the window and along the street. "
        "After a while somebody knocked, and it was a taxi driver, who asked if she was open. "
        "Then a nurse came, who had worked all day and half of the night. "
        "Then came a student with a book under his arm, and two musicians, and a policeman, who took off his hat. "
        "Rosa cut the bread in seven pieces, and put water on for tea. "
        "They sat on the flour sacks and told one another about their night. "
        "The taxi driver had lost his way, the nurse had held a new baby, "
        "and the musicians had played for only three people, but very well. "
        "Nobody wanted to leave, and so they sang something, quietly, because of the neighbours. "
        "When the bells rang five, Rosa looked for her hat, sat down on the last sack, and closed her eyes. "
        "She slept for the first time in weeks, and she slept so well that nobody dared to wake her. "
        "The student sold the bread that morning, the nurse wrapped it, and the policeman kept the line in order. "
        "Since then the bakery with the blue door is open at night, once a week, "
        "and if you come by, there is always a piece left for you."
    ),
    short=(
        "A baker could not sleep, so she baked at night, and the smell brought in everybody who was still awake. "
        "They ate and sang together, until she fell asleep on a sack, and they sold the bread for her."
    ),
)

STORIES: Final = (_SEA, _MOUNTAINS, _TRAIN, _FOREST, _CITY)
